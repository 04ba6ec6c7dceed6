const beyondAscii = /\P{ASCII}/u;
const marks = /\p{M}+/gu;
const withinWords = /['’ʼ`´.]/gu;
const betweenWords = /[^\p{L}\p{N}]+/u;
/** Letters that decomposition leaves whole though they are written without them elsewhere. */
const folded: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  đ: 'd',
  ð: 'd',
  ł: 'l',
  ı: 'i',
  þ: 'th',
  ħ: 'h',
};
const foldable = /[ßæœøđðłıþħ]/g;

const plain = (text: string): string => {
  const lower = text.toLowerCase();
  if (!beyondAscii.test(lower)) return lower;
  return lower
    .normalize('NFKD')
    .replace(marks, '')
    .replace(foldable, (letter) => folded[letter] ?? letter);
};

/** The text by which names are compared: the words of all parts in lower case, without accents and apostrophes, in
 *  alphabetical order (so `Doe, Jane` and `Jane Doe` agree); null where nothing is left. */
export const nameKey = (parts: readonly string[]): string | null => {
  const words = parts
    .flatMap((part) => plain(part).replace(withinWords, '').split(betweenWords))
    .filter((word) => word !== '');
  return words.length === 0 ? null : words.sort().join(' ');
};
