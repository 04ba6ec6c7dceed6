const parts = /^(-?)(\d+)(?:\.(\d+))?$/;

const compareTexts = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);

const compareMagnitudes = (left: RegExpExecArray, right: RegExpExecArray): number => {
  const [leftWhole = '', rightWhole = ''] = [left[2], right[2]];
  if (leftWhole.length !== rightWhole.length) return leftWhole.length - rightWhole.length;
  return compareTexts(leftWhole, rightWhole) || compareTexts(left[3] ?? '', right[3] ?? '');
};

/** Compares two canonical decimals exactly, whatever their length: below 0, 0 or above 0.
 *  @throws RangeError where one is no canonical decimal */
export const compareDecimals = (left: string, right: string): number => {
  const [leftParts, rightParts] = [parts.exec(left), parts.exec(right)];
  if (leftParts === null || rightParts === null) throw new RangeError('not a canonical decimal');
  const [leftNegative, rightNegative] = [leftParts[1] === '-', rightParts[1] === '-'];
  if (leftNegative !== rightNegative) return leftNegative ? -1 : 1;
  return leftNegative ? compareMagnitudes(rightParts, leftParts) : compareMagnitudes(leftParts, rightParts);
};
