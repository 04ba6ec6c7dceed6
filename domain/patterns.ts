/**
 * Which patterns of users are accepted. A backtracking engine may take a time that grows exponentially with the text where a
 * repeated part holds another repetition, or alternatives that can match the same text. Such patterns are refused when they
 * are compiled; what remains is at worst polynomial, and texts are bounded (`longestMatched`).
 */

/** Longer texts are not matched: they break the rule. */
export const longestMatched = 1_000;

const longestPattern = 500;
/** A repetition of a part that itself repeats is allowed up to this product of the two. */
const smallRepeat = 16;

interface Group {
  /** The most often that something inside is repeated. */
  inner: number;
  /** Alternatives whose beginnings are not told apart by a literal. */
  ambiguous: boolean;
  beginnings: string[];
  atBeginning: boolean;
}

const newGroup = (): Group => ({ inner: 1, ambiguous: false, beginnings: [], atBeginning: true });

const quantifier = /^(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/;

interface Repeat {
  readonly length: number;
  readonly most: number;
}

const repeatAt = (pattern: string, index: number): Repeat => {
  const found = quantifier.exec(pattern.slice(index, index + 24));
  if (found === null) return { length: 0, most: 1 };
  const [text, sign, least, comma, limit] = found;
  if (sign !== undefined) return { length: text.length, most: sign === '?' ? 1 : Infinity };
  return { length: text.length, most: comma === undefined ? Number(least) : limit === '' ? Infinity : Number(limit) };
};

/** The end of the atom that begins at the index: a class, an escape or one character. */
const atomEnd = (pattern: string, index: number): number => {
  const first = pattern.charAt(index);
  if (first === '\\') {
    const escape = /^\\(?:u\{[0-9a-f]+\}|u[0-9a-f]{4}|x[0-9a-f]{2}|p\{[^}]*\}|.)/i.exec(pattern.slice(index));
    return index + (escape?.[0].length ?? 1);
  }
  if (first !== '[') return index + 1;
  let end = index + 1;
  while (end < pattern.length && pattern.charAt(end) !== ']') end += pattern.charAt(end) === '\\' ? 2 : 1;
  return end + 1;
};

const isLiteral = (atom: string): boolean => /^[^\\[.^$]$|^\\[^a-zA-Z0-9]$/.test(atom);

const noteBeginning = (group: Group, atom: string, optional: boolean): void => {
  if (!group.atBeginning) return;
  group.atBeginning = false;
  if (optional || !isLiteral(atom) || group.beginnings.includes(atom)) group.ambiguous = true;
  group.beginnings.push(atom);
};

/** Closes a group that is repeated: the reason why it may not be, or null. */
const closeGroup = (group: Group, outer: Group, most: number): string | null => {
  if (most > 1 && group.inner > 1 && most * group.inner > smallRepeat) {
    return 'a repeated part holds another repetition';
  }
  if (most > smallRepeat && group.ambiguous && group.beginnings.length > 1) {
    return 'a repeated part holds alternatives that can begin alike';
  }
  outer.inner = Math.max(outer.inner, group.inner * most);
  outer.atBeginning = false;
  return null;
};

/** Two repetitions side by side that can match the same characters. */
const samples = Array.from({ length: 0x250 }, (_, code) => String.fromCharCode(code));
const charactersOf = (atom: string): Set<string> => {
  const form = new RegExp(`^(?:${atom})$`, 'u');
  return new Set(samples.filter((sample) => form.test(sample)));
};

/** Follows unbounded repetitions: `last` is the atom of the one before, while nothing that it cannot match came between. */
const overlaps = (last: string | null, atom: string): boolean => {
  if (last === null) return false;
  const characters = charactersOf(last);
  return [...charactersOf(atom)].some((character) => characters.has(character));
};

const groupStart = /^\((\?:|\?<[a-z_]\w*>|\?)?/i;

const structureProblem = (pattern: string): string | null => {
  const groups: Group[] = [newGroup()];
  let last: string | null = null;
  let index = 0;
  while (index < pattern.length) {
    const group = groups.at(-1) ?? newGroup();
    const character = pattern.charAt(index);
    if (character === '(') {
      const start = groupStart.exec(pattern.slice(index, index + 80));
      if (start?.[1] === '?') return 'looking ahead and behind is not offered';
      groups.push(newGroup());
      if (group.atBeginning) noteBeginning(group, '(', false);
      index += start?.[0].length ?? 1;
    } else if (character === ')') {
      const closed = groups.pop() ?? newGroup();
      const repeat = repeatAt(pattern, index + 1);
      const problem = closeGroup(closed, groups.at(-1) ?? newGroup(), repeat.most);
      if (problem !== null) return problem;
      if (repeat.most > smallRepeat) last = null;
      index += 1 + repeat.length;
    } else if (character === '|') {
      group.atBeginning = true;
      last = null;
      index += 1;
    } else if (character === '^' || character === '$') {
      index += 1;
    } else {
      const end = atomEnd(pattern, index);
      const atom = pattern.slice(index, end);
      if (/^\\(?:[1-9]|k)/.test(atom)) return 'references to earlier parts are not offered';
      const repeat = repeatAt(pattern, end);
      noteBeginning(group, atom, repeat.length > 0 && /^[*?]|^\{0/.test(pattern.slice(end)));
      group.inner = Math.max(group.inner, repeat.most);
      const open = repeat.most > longestMatched / 10;
      if (open && overlaps(last, atom)) return 'two repetitions side by side can match the same characters';
      if (open) last = atom;
      else if (repeat.length === 0 && !overlaps(last, atom)) last = null;
      index = end + repeat.length;
    }
  }
  return null;
};

/** Why a pattern is refused, in words; null where it is accepted. */
export const patternProblem = (pattern: string): string | null => {
  if (pattern.length > longestPattern) return `a pattern may have ${String(longestPattern)} characters`;
  try {
    new RegExp(`^(?:${pattern})$`, 'u');
  } catch (error) {
    return error instanceof Error ? error.message : 'the pattern cannot be read';
  }
  return structureProblem(pattern);
};

/** A pattern compiled to match whole texts. Call it for accepted patterns only. */
export const compilePattern = (pattern: string): ((text: string) => boolean) => {
  const form = new RegExp(`^(?:${pattern})$`, 'u');
  return (text) => text.length <= longestMatched && form.test(text);
};
