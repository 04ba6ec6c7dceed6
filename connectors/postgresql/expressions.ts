import type { RelationColumn } from './relation.js';

/** SQL for the text of a value, exactly as `COPY` prints it, so that what is read, compared and hashed is one spelling. */
export const textOf = (column: RelationColumn, value: string): string => {
  switch (column.conversion) {
    case 'text':
      return `${value}::text`;
    case 'cast':
      return `(${value})::text`;
    case 'output':
    case 'padded':
      // concat() prints by the type's own output function, as COPY does; the cast to text does not, for these types.
      return `case when ${value} is null then null else concat(${value}) end`;
  }
};

/** SQL for the text of the column, to be compared with `comparableValue` of a cell. */
export const comparableColumn = (column: RelationColumn, value: string): string =>
  column.conversion === 'padded' ? `(${value})::text` : textOf(column, value);

/** SQL for a cell's text as it would stand in the column: `1.5` in a `numeric(10,2)` is `1.50`. */
export const comparableValue = (column: RelationColumn, cell: string): string => {
  if (column.conversion === 'text') return `${cell}::text`;
  // A cast to a char or bit of a length cuts what is too long without a word; the write refuses it, so comparing must not cut.
  if (column.conversion === 'padded') return `(${cell}::bpchar)::text`;
  const type = /^bit/.test(column.type) ? column.plainType : column.type;
  return textOf(column, `${cell}::${type}`);
};

/** SQL of the key column in the order that planning, reading and cursors share: that of code points, whatever the collation. */
export const keyOrder = (column: RelationColumn, qualifier = ''): string =>
  `${qualifier}${column.sql}${column.needsByteOrder ? ' collate "C"' : ''}`;

/** Row comparison of the first key columns with as many values, each given as SQL of a text. */
export const compareKey = (
  key: readonly RelationColumn[],
  sign: '>' | '>=' | '<' | '=',
  values: readonly string[],
): string => {
  const compared = key.slice(0, values.length);
  const left = compared.map((column) => keyOrder(column)).join(', ');
  const right = compared.map((column, index) => `${values[index] ?? 'null'}::${column.plainType}`).join(', ');
  return `(${left}) ${sign} (${right})`;
};
