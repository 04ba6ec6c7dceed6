import { createHash } from 'node:crypto';
import type { SampleRow } from './records.js';

/** How one of the sample systems writes its files. */
export interface CsvStyle {
  readonly delimiter: string;
  readonly byteOrderMark: boolean;
}

/** The text of a file: header, rows, CRLF. */
export const csvText = (columns: readonly string[], rows: readonly SampleRow[], style: CsvStyle): string => {
  const field = (cell: string | null): string => {
    if (cell === null) return '';
    return /["\r\n]/.test(cell) || cell.includes(style.delimiter) ? `"${cell.replaceAll('"', '""')}"` : cell;
  };
  const lines = [columns, ...rows].map((row) => `${row.map(field).join(style.delimiter)}\r\n`);
  return (style.byteOrderMark ? '\ufeff' : '') + lines.join('');
};

/** Hexadecimal, as manifests have it. */
export const sha256 = (content: string): string => createHash('sha256').update(content, 'utf8').digest('hex');
