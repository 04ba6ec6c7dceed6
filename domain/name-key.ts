// eslint-disable-next-line no-control-regex
const beyondAscii = /[^\u0000-\u007f]/;
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

const folding = (lower: string): string =>
  lower
    .normalize('NFKD')
    .replace(marks, '')
    .replace(foldable, (letter) => folded[letter] ?? letter);

const isWordUnit = (unit: number): boolean => (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x30 && unit <= 0x39);
/** Spaces, hyphens and commas: what stands between words of plain letters. */
const isGap = (unit: number): boolean => unit === 0x20 || unit === 0x2d || unit === 0x2c;

/** Adds the words where they are of plain letters and digits; false where the patterns have to look. */
const addPlainWords = (words: string[], plain: string): boolean => {
  const before = words.length;
  let start = 0;
  for (let index = 0; index <= plain.length; index += 1) {
    const unit = index === plain.length ? 0x20 : plain.charCodeAt(index);
    if (isWordUnit(unit)) continue;
    if (!isGap(unit)) {
      words.length = before;
      return false;
    }
    if (index > start) words.push(plain.slice(start, index));
    start = index + 1;
  }
  return true;
};

/** Adds the words of a name. Most are words of plain letters, which none of the patterns changes. */
const addWords = (words: string[], text: string): void => {
  let plain = text.toLowerCase();
  if (addPlainWords(words, plain)) return;
  if (beyondAscii.test(plain)) {
    plain = folding(plain);
    if (addPlainWords(words, plain)) return;
  }
  for (const word of plain.replace(withinWords, '').split(betweenWords)) if (word !== '') words.push(word);
};

/** The words of names, in lower case, without accents and apostrophes. */
export const nameWords = (parts: readonly string[]): string[] => {
  const words: string[] = [];
  for (const part of parts) addWords(words, part);
  return words;
};

/** The text by which names are compared: the words of all parts in lower case, without accents and apostrophes, in
 *  alphabetical order (so `Doe, Jane` and `Jane Doe` agree); null where nothing is left. */
export const nameKey = (parts: readonly string[]): string | null => {
  const words = nameWords(parts);
  return words.length === 0 ? null : words.sort().join(' ');
};
