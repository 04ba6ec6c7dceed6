import {
  anyBytes,
  isCanonicalDecimal,
  isDateForm,
  isScaledDecimal,
  isTimestampForm,
  isTrimmed,
  ofLength,
  type ByteCheck,
} from './byte-forms.js';
import type { AttributeDefinition } from './entity-type.js';
import type { FieldReader, RowReading } from './mapping-fields.js';
import type { Cell, RawRow } from './rows.js';
import type { RowRule } from './rules.js';
import type { StepProblem } from './standardizer-options.js';

/** What is done to a cell where it has its usual form: nothing, nothing but trimming, or the default reading of its type. */
export type FieldForm = 'copied' | 'trimmed' | 'date' | 'decimal' | 'timestamp';

/** Reads the text of a group, '' and null for none. */
export interface StraightField {
  readonly group: number;
  readonly attribute: AttributeDefinition;
  readonly label: string | null;
  /** The columns that it reads. */
  readonly columns: readonly number[];
  readonly form: FieldForm | null;
  readonly read: FieldReader;
  /** The column and the quick reading of its usual form; null: there is none. */
  readonly quick: { readonly index: number; readonly read: (text: string) => string | null } | null;
}

/** A column of a straight target: the texts of these groups, the first that is there, through the steps; or a constant. */
export interface StraightColumn {
  readonly column: string;
  readonly key: boolean;
  readonly groups: readonly number[];
  /** The only group, where the text is taken as it is; else -1. */
  readonly plain: number;
  /** Whether no step is applied to the text; `places`: one is, which writes a decimal with so many. */
  readonly bare: boolean;
  readonly places: number | null;
  readonly maxLength: number | null;
  readonly write: (texts: readonly (string | null)[]) => Cell | StepProblem;
}

/** A row with the texts of some columns: what else stands there is not to be looked at. */
export type PartlyRead = RawRow;

/** What must hold of a row, or it is looked at in the general way. */
export interface LineCheck {
  /** Where its bytes suffice; -1: nowhere. */
  readonly column: number;
  readonly kept: ByteCheck | null;
  /** The columns of which `holds` needs the texts. */
  readonly needs: readonly number[];
  readonly holds: (row: PartlyRead) => boolean;
}

/** How a cell of a target's row is made. */
export interface LineColumn {
  /** Without a value the row is not written. */
  readonly key: boolean;
  /** The only column that it is made of, null where that is; -1: several, or none. */
  readonly column: number;
  /** Tells that the bytes of that column's cell, which is not empty, are those of the target's. */
  readonly same: ByteCheck | null;
  /** An instant as PostgreSQL writes it is written by RFC 3339. */
  readonly isTimestamp: boolean;
  /** What becomes of a cell of one ASCII letter, by its code. */
  readonly letters: readonly (Cell | undefined)[];
  /** The columns of which `write` needs the texts. */
  readonly needs: readonly number[];
  /** Undefined: there is a problem, for the general way to tell. */
  readonly write: (row: PartlyRead) => Cell | undefined;
}

/** How a posted row is made of a line of text, of whose cells few become strings. It never tells a problem: whatever is not as it
 *  should be goes the general way, which gives the same for all other rows. */
export interface PostedLines {
  /** Cells of a line. */
  readonly columns: number;
  /** Each must be there. */
  readonly keys: readonly number[];
  /** Rows of others are left out. */
  readonly filter: { readonly needs: readonly number[]; readonly isOurs: (row: PartlyRead) => boolean } | null;
  readonly checks: readonly LineCheck[];
  readonly targets: readonly (readonly LineColumn[])[];
}

export interface StraightPosting {
  readonly columns: number;
  readonly keys: readonly number[];
  readonly filter: PostedLines['filter'];
  readonly rules: readonly RowRule[];
  readonly fields: readonly StraightField[];
  readonly targets: readonly (readonly StraightColumn[])[];
  /** The text of a field; problems are noted. */
  readonly textOf: (field: StraightField, at: RowReading) => string | null;
}

const forms: Readonly<Record<Exclude<FieldForm, 'timestamp'>, ByteCheck>> = {
  copied: anyBytes,
  trimmed: isTrimmed,
  date: isDateForm,
  decimal: isCanonicalDecimal,
};

const readingOf = (row: PartlyRead): RowReading => ({ row, position: '', key: null, blanked: null, problems: null });

const firstLetter = 0x21;
const lastLetter = 0x7e;

/** Compiles how lines are posted, for rows that go straight from cells to cells. */
export const compileLines = (posting: StraightPosting): PostedLines => {
  const { columns, keys, filter, rules, fields, targets } = posting;
  const written = new Set(targets.flatMap((target) => target.flatMap(({ groups }) => groups)));
  const unwritten = fields.filter(({ group, form }) => !written.has(group) && form !== 'copied');
  return {
    ...{ columns, keys, filter },
    checks: [...rules.map(checkOfRule), ...unwritten.map((field) => checkOfField(posting, field))],
    targets: targets.map((target) => target.map((column) => lineColumn(posting, column))),
  };
};

const checkOfRule = ({ column, kept, broken }: RowRule): LineCheck => ({
  ...{ column, kept, needs: [column] },
  holds: (row) => broken(row) === null,
});

/** Nobody writes it, but its problems are told. */
const checkOfField = ({ textOf }: StraightPosting, field: StraightField): LineCheck => {
  const { form, columns } = field;
  return {
    column: form === null ? -1 : (columns[0] ?? -1),
    kept: form === null ? null : form === 'timestamp' ? isTimestampForm : forms[form],
    needs: columns,
    holds: (row) => {
      const at = readingOf(row);
      textOf(field, at);
      return at.problems === null;
    },
  };
};

const lineColumn = (posting: StraightPosting, straight: StraightColumn): LineColumn => {
  const { key, groups, plain, write: writeTexts } = straight;
  const read = posting.fields.filter(({ group }) => groups.includes(group));
  const texts = new Array<string | null>(Math.max(-1, ...groups) + 1).fill(null);
  const made = (row: PartlyRead): Cell | undefined => {
    const at = readingOf(row);
    for (const field of read) texts[field.group] = posting.textOf(field, at);
    const cell = plain >= 0 ? (texts[plain] ?? null) : writeTexts(texts);
    if (at.problems !== null || (cell !== null && typeof cell !== 'string')) return undefined;
    return key && (cell === null || cell === '') ? undefined : cell;
  };
  const needs = [...new Set(read.flatMap(({ columns }) => columns))];
  const constant = needs.length === 0 ? made([]) : undefined;
  const write = needs.length === 0 ? (): Cell | undefined => constant : made;
  const [field] = read;
  const [column, another] = needs;
  const isAlone = groups.length === 1 && field !== undefined && column !== undefined && another === undefined;
  const same = isAlone ? sameBytes(field, straight) : null;
  const isTimestamp = isAlone && field.form === 'timestamp' && plain >= 0;
  const letters: (Cell | undefined)[] = [];
  if (isAlone && same === null && !isTimestamp) {
    const row = new Array<Cell>(posting.columns).fill(null);
    for (let letter = firstLetter; letter <= lastLetter; letter += 1) {
      row[column] = String.fromCharCode(letter);
      letters[letter] = write(row);
    }
  }
  return { key, column: isAlone ? column : -1, same, isTimestamp, letters, needs, write };
};

/** Tells where nothing is done to a cell; null: something always is. */
const sameBytes = ({ form }: StraightField, { bare, places, maxLength }: StraightColumn): ByteCheck | null => {
  if (form === null || form === 'timestamp') return null;
  if (places !== null) return form === 'decimal' ? isScaledDecimal(places) : null;
  if (!bare) return null;
  return maxLength === null ? forms[form] : ofLength(forms[form], maxLength);
};
