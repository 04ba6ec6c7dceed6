import type { Stated } from './canonical.js';
import type { Condition, EntityTypeDefinition } from './entity-type.js';
import { SyncError } from './errors.js';
import { compilePath } from './paths.js';
import type { RawRow } from './rows.js';

/** The texts that a field has: none where it is blank. */
type FieldTexts<Subject> = (subject: Subject) => readonly string[];

const compile = <Subject>(
  condition: Condition,
  textsOf: (field: string) => FieldTexts<Subject>,
): ((subject: Subject) => boolean) => {
  if ('all' in condition) {
    const parts = condition.all.map((part) => compile(part, textsOf));
    return (subject) => parts.every((part) => part(subject));
  }
  if ('any' in condition) {
    const parts = condition.any.map((part) => compile(part, textsOf));
    return (subject) => parts.some((part) => part(subject));
  }
  if ('not' in condition) {
    const part = compile(condition.not, textsOf);
    return (subject) => !part(subject);
  }
  const texts = textsOf(condition.field);
  if ('is' in condition) {
    const present = condition.is === 'present';
    return (subject) => texts(subject).length > 0 === present;
  }
  const accepted = new Set('equals' in condition ? [condition.equals] : condition.in);
  return (subject) => texts(subject).some((text) => accepted.has(text));
};

/** The fields that a condition reads. */
export const fieldsOf = (condition: Condition): string[] => {
  if ('all' in condition) return condition.all.flatMap(fieldsOf);
  if ('any' in condition) return condition.any.flatMap(fieldsOf);
  if ('not' in condition) return fieldsOf(condition.not);
  return [condition.field];
};

const none: readonly string[] = [];

/** A condition over source rows. @throws SyncError configuration_invalid for a column that is not there */
export const compileRowCondition = (condition: Condition, columns: readonly string[]): ((row: RawRow) => boolean) =>
  compile<RawRow>(condition, (field) => {
    const index = columns.indexOf(field);
    if (index < 0)
      throw new SyncError('configuration_invalid', `a condition reads the column ${field}, which is not there`);
    return (row) => {
      const text = (row[index] ?? '').trim();
      return text === '' ? none : [text];
    };
  });

/** A record as a condition sees it: its values in the order of the groups. */
export interface RecordOnDate {
  readonly values: readonly (Stated | null)[];
  readonly asOf: string | null;
}

/** A condition over canonical records. With a date, only what holds on it counts.
 *  @throws SyncError configuration_invalid for a path that is not there */
export const compileRecordCondition = (
  condition: Condition,
  entityType: EntityTypeDefinition,
): ((record: RecordOnDate) => boolean) =>
  compile<RecordOnDate>(condition, (field) => {
    const path = compilePath(entityType, field);
    return ({ values, asOf }) => path.texts(values, asOf);
  });
