/** JSON with one spelling for each value (RFC 8785): object keys in order of their UTF-16 units, no white space, numbers as
 *  ECMAScript writes them. Members that are `undefined` are left out, as in JSON.
 *  @throws TypeError for what JSON cannot say exactly: NaN, infinities, bigint, functions, cycles, lone surrogates */
export const canonicalJson = (value: unknown): string => write(value, []);

const write = (value: unknown, above: readonly object[]): string => {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return writeNumber(value);
  if (typeof value === 'string') return writeString(value);
  if (typeof value === 'object') return writeObject(value, above);
  throw new TypeError(`a ${typeof value} has no canonical JSON`);
};

const writeNumber = (value: number): string => {
  if (!Number.isFinite(value)) throw new TypeError('a number that is not finite has no canonical JSON');
  return JSON.stringify(value);
};

const loneSurrogate = /\p{Surrogate}/u;
const writeString = (value: string): string => {
  if (loneSurrogate.test(value)) throw new TypeError('a text with a lone surrogate has no canonical JSON');
  return JSON.stringify(value);
};

const writeObject = (value: object, above: readonly object[]): string => {
  if (above.includes(value)) throw new TypeError('a cyclic value has no canonical JSON');
  const path = [...above, value];
  if (Array.isArray(value)) return `[${value.map((item: unknown) => write(item, path)).join(',')}]`;
  if (value instanceof Date) return writeString(value.toISOString());
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, member]) => `${writeString(name)}:${write(member, path)}`);
  return `{${members.join(',')}}`;
};
