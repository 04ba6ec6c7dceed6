import { endOfDecimal } from '../domain/byte-forms.js';
import type { Stated } from '../domain/canonical.js';
import type { CopiedCheck, CopiedForm, CopiedGroup, CopiedGroups } from '../domain/copied-groups.js';
import type { BinaryRows } from '../platform/copy-binary.js';
import type { CopyLine } from '../platform/copy-line.js';
import { addInstant } from './instant-bytes.js';

interface Member {
  readonly column: number;
  readonly form: CopiedForm;
  /** What stands before the cell where it is the first of its group that says something, and where it is not. */
  readonly first: Buffer;
  readonly next: Buffer;
}

interface Group {
  readonly members: readonly Member[];
  readonly closing: Buffer;
  readonly blank: Stated | null;
}

const trueText = Buffer.from('true');
const falseText = Buffer.from('false');
const letterT = 0x74;

/** Writes the values of records of which some are copied from the bytes of a plain line. */
export class CopiedValues {
  private readonly groups: readonly (Group | null)[];
  private readonly checks: readonly CopiedCheck[];

  constructor({ groups, checks }: CopiedGroups) {
    this.groups = groups.map((group) => (group === null ? null : encoded(group)));
    this.checks = checks;
  }

  /** Whether the row of the line is as it is expected; it is looked at in the general way where not. */
  fits(line: CopyLine): boolean {
    for (const { column, holds, blank } of this.checks) {
      const isKept = line.isBlank(column) ? blank : holds(line.bytes, line.startOf(column), line.endOf(column));
      if (!isKept) return false;
    }
    return true;
  }

  /** As `addList` writes the list of all.
   *  @param values those of the groups that are not copied */
  add(bytes: BinaryRows, values: readonly (Stated | null)[], line: CopyLine): void {
    const start = bytes.beginField();
    bytes.beginItems(values.length);
    for (let index = 0; index < values.length; index += 1) {
      const group = this.groups[index] ?? null;
      if (group === null) bytes.addText(values[index] ?? null);
      else if (!addCopied(bytes, group, line)) bytes.addText(group.blank);
    }
    bytes.endField(start);
  }
}

const encoded = ({ members, object, blank }: CopiedGroup): Group => ({
  members: members.map(({ column, form, opening }) => {
    const quote = form === 'boolean' ? '' : '"';
    const first = Buffer.from(`${object ? '{' : ''}${opening}${quote}`);
    return { column, form, first, next: Buffer.from(`,${opening}${quote}`) };
  }),
  closing: Buffer.from(object ? '}' : ''),
  blank,
});

/** An item of the list; false where all cells are blank. */
const addCopied = (bytes: BinaryRows, { members, closing }: Group, line: CopyLine): boolean => {
  const start = bytes.beginField();
  let said = false;
  for (const { column, form, first, next } of members) {
    if (line.isBlank(column)) continue;
    const opening = said ? next : first;
    bytes.addBytes(opening, 0, opening.length);
    addCell(bytes, form, line.bytes, line.startOf(column), line.endOf(column));
    said = true;
  }
  if (said) {
    bytes.addBytes(closing, 0, closing.length);
    bytes.endField(start);
  } else bytes.cancelField(start);
  return said;
};

const quote = 0x22;

/** The canonical JSON of a cell, but for the quote that it begins with. */
const addCell = (bytes: BinaryRows, form: CopiedForm, cell: Buffer, from: number, to: number): void => {
  if (form === 'boolean') {
    const word = cell[from] === letterT ? trueText : falseText;
    bytes.addBytes(word, 0, word.length);
    return;
  }
  if (form === 'timestamp') addInstant(bytes, cell, from, to);
  else bytes.addBytes(cell, from, form === 'decimal' ? endOfDecimal(cell, from, to) : to);
  bytes.addByte(quote);
};
