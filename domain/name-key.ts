const plainWord = /^[a-z0-9]+$/;
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

/** Adds the words of a name. Most are one word of plain letters, which none of the patterns changes. */
const addWords = (words: string[], text: string): void => {
  let plain = text.toLowerCase();
  if (plainWord.test(plain)) {
    words.push(plain);
    return;
  }
  if (beyondAscii.test(plain)) plain = folding(plain);
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
