import type { GrowingBytes } from '../platform/growing-bytes.js';

const letterT = 0x54;
const letterZ = 0x5a;
const dateLength = 10;
/** Of `+00`. */
const utcLength = 3;

/** Writes a cell that is in the form of `isTimestampForm` by RFC 3339. */
export const addInstant = (target: GrowingBytes, cell: Buffer, from: number, to: number): void => {
  target.addBytes(cell, from, from + dateLength);
  target.addByte(letterT);
  target.addBytes(cell, from + dateLength + 1, to - utcLength);
  target.addByte(letterZ);
};
