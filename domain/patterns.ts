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
  /** The atoms directly inside, and those of them that are repeated. */
  atoms: string[];
  repeated: string[];
  /** Holds another group. */
  deep: boolean;
  /** The open repetition before the group, and those at the ends of its alternatives. */
  readonly before: string | null;
  ends: (string | null)[];
}

const newGroup = (before: string | null): Group => ({
  inner: 1,
  ambiguous: false,
  beginnings: [],
  atBeginning: true,
  atoms: [],
  repeated: [],
  deep: false,
  before,
  ends: [],
});

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

/** Whether what precedes the index may be left out. */
const isOptional = (pattern: string, index: number): boolean => /^(?:[*?]|\{0)/.test(pattern.slice(index, index + 2));

const noteBeginning = (group: Group, atom: string, optional: boolean): void => {
  if (!group.atBeginning) return;
  group.atBeginning = false;
  if (optional || !isLiteral(atom) || group.beginnings.includes(atom)) group.ambiguous = true;
  group.beginnings.push(atom);
};

/** The characters that an atom can match, among the first of Unicode. */
const samples = Array.from({ length: 0x250 }, (_, code) => String.fromCharCode(code));
const charactersOf = (atom: string): Set<string> => {
  const form = new RegExp(`^(?:${atom})$`, 'u');
  return new Set(samples.filter((sample) => form.test(sample)));
};

/** Whether two atoms can match the same character. */
const overlaps = (last: string | null, atom: string): boolean => {
  if (last === null) return false;
  const characters = charactersOf(last);
  return [...charactersOf(atom)].some((character) => characters.has(character));
};

const anything = '[^]';

const union = (atoms: readonly (string | null)[]): string | null => {
  const there = atoms.filter((atom): atom is string => atom !== null);
  return there.length === 0 ? null : [...new Set(there)].join('|');
};

/** A part like ` [a-z]+`: each repetition begins with a literal that nothing repeated inside can match, so that it is always
 *  clear where the next one begins. */
const isSeparated = (group: Group): boolean => {
  const [first, another] = group.beginnings;
  if (first === undefined || another !== undefined || group.ambiguous || group.deep) return false;
  return !group.repeated.some((atom) => overlaps(first, atom));
};

const nested = 'a repeated part holds another repetition';
const alike = 'a repeated part holds alternatives that can begin alike';
const adjacent = 'two repetitions side by side can match the same characters';

const isOpen = (most: number): boolean => most > longestMatched / 10;

/** Why a group may not be repeated so often; null where it may. */
const repeatedGroupProblem = (group: Group, most: number): string | null => {
  if (most > 1 && group.inner > 1 && most * group.inner > smallRepeat && !isSeparated(group)) return nested;
  if (most > smallRepeat && group.ambiguous && group.beginnings.length > 1) return alike;
  const mayContinue = group.ambiguous || group.deep || group.beginnings.some((atom) => overlaps(group.before, atom));
  return isOpen(most) && group.before !== null && mayContinue ? adjacent : null;
};

const groupStart = /^\((?:\?:|\?<[a-z_]\w*>|(\?))?/i;

/** Reads a pattern from left to right. It keeps the groups that are open and the last open repetition (`last`), as long as
 *  nothing that it cannot match came after it. */
class Reading {
  private readonly groups: Group[] = [newGroup(null)];
  private last: string | null = null;

  constructor(private readonly pattern: string) {}

  problem(): string | null {
    let index = 0;
    while (index < this.pattern.length) {
      const next = this.step(index);
      if (typeof next === 'string') return next;
      index = next;
    }
    return null;
  }

  /** Reads what stands at an index: the index after it, or what is wrong. */
  private step(index: number): number | string {
    const character = this.pattern.charAt(index);
    if (character === '(') return this.open(index);
    if (character === ')') return this.close(index);
    if (character === '|') return this.alternative(index);
    return character === '^' || character === '$' ? index + 1 : this.atom(index);
  }

  private get group(): Group {
    return this.groups.at(-1) ?? newGroup(null);
  }

  private open(index: number): number | string {
    const start = groupStart.exec(this.pattern.slice(index, index + 80));
    if (start?.[1] !== undefined) return 'looking ahead and behind is not offered';
    noteBeginning(this.group, '(', false);
    this.group.deep = true;
    this.groups.push(newGroup(this.last));
    return index + (start?.[0].length ?? 1);
  }

  private alternative(index: number): number {
    this.group.atBeginning = true;
    this.group.ends.push(this.last);
    this.last = this.group.before;
    return index + 1;
  }

  private close(index: number): number | string {
    const closed = this.groups.pop() ?? newGroup(null);
    const repeat = repeatAt(this.pattern, index + 1);
    const problem = repeatedGroupProblem(closed, repeat.most);
    if (problem !== null) return problem;
    const optional = isOptional(this.pattern, index + 1);
    this.group.inner = Math.max(this.group.inner, closed.inner * repeat.most, optional ? 2 : 1);
    const ends = union([...closed.ends, this.last, optional ? closed.before : null]);
    this.last = isOpen(repeat.most) ? union([ends, closed.deep ? anything : union(closed.atoms)]) : ends;
    return index + 1 + repeat.length;
  }

  private atom(index: number): number | string {
    const end = atomEnd(this.pattern, index);
    const atom = this.pattern.slice(index, end);
    if (/^\\(?:[1-9]|k)/.test(atom)) return 'references to earlier parts are not offered';
    const repeat = repeatAt(this.pattern, end);
    const optional = isOptional(this.pattern, end);
    const { group } = this;
    noteBeginning(group, atom, optional);
    group.atoms.push(atom);
    // An optional part is there or not: two ways, as with a repetition.
    group.inner = Math.max(group.inner, repeat.most, optional ? 2 : 1);
    if (repeat.most > 1 || optional) group.repeated.push(atom);
    if (isOpen(repeat.most)) {
      if (overlaps(this.last, atom)) return adjacent;
      this.last = optional ? union([this.last, atom]) : atom;
    } else if (!optional && !overlaps(this.last, atom)) this.last = null;
    return end + repeat.length;
  }
}

/** Why a pattern is refused, in words; null where it is accepted. */
export const patternProblem = (pattern: string): string | null => {
  if (pattern.length > longestPattern) return `a pattern may have ${String(longestPattern)} characters`;
  try {
    new RegExp(`^(?:${pattern})$`, 'u');
  } catch (error) {
    return error instanceof Error ? error.message : 'the pattern cannot be read';
  }
  return new Reading(pattern).problem();
};

/** A pattern compiled to match whole texts. Call it for accepted patterns only. */
export const compilePattern = (pattern: string): ((text: string) => boolean) => {
  const form = new RegExp(`^(?:${pattern})$`, 'u');
  return (text) => text.length <= longestMatched && form.test(text);
};
