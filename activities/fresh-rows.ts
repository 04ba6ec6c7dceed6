import type { CompiledTarget, Projection } from '../domain/projection.js';
import type { RowSpelling } from '../domain/spelling.js';
import { createSetDigest } from '../platform/hash.js';
import type { RowSink } from './canon-writer.js';
import type { GoldenLine } from './golden-line.js';
import { ProjectedRows } from './projected-rows.js';
import type { Judged } from './projecting.js';

/** What is told of a row that is written: its record, the key of its image, the hashes of what stands there and of what was told. */
export const toldColumns =
  'golden_id bigint, key text collate "C", raw_hash uuid, told_hash uuid, version integer, subject_key bigint';
const toldFields = 6;

const backslash = 0x5c;

/** Rows of a target of which we know none: their keys and hashes are told to those who make images of them. */
export class FreshRows extends ProjectedRows<Promise<void> | null> {
  /** Records whose rows change by themselves or were not written. */
  readonly noted: (Judged & { readonly goldenId: string })[] = [];
  /** Of the hashes of what will stand there. */
  readonly digest = createSetDigest();

  constructor(
    target: CompiledTarget,
    spelling: RowSpelling,
    asOf: string,
    private readonly told: RowSink,
  ) {
    super(target, spelling, asOf);
  }

  protected note(line: GoldenLine, { nextDue, problems }: Projection): void {
    this.noted.push({ change: null, nextDue, problems, goldenId: line.cell(0) });
  }

  protected isWanted(): boolean {
    return true;
  }

  protected tell(line: GoldenLine, told: string, standing: string): Promise<void> | null {
    const { key } = this;
    const { bytes } = this.told;
    bytes.beginRow(toldFields);
    bytes.addDigits(line.bytes, line.startOfCell(0), line.endOfCell(0));
    const start = bytes.beginField();
    bytes.addFrom(key, 0, key.size);
    bytes.endField(start);
    this.digest.addOctets(standing);
    bytes.addUuidOctets(standing);
    bytes.addUuidOctets(told);
    bytes.addInteger(line.version());
    if (line.bytes[line.startOfCell(2)] === backslash) bytes.addNull();
    else bytes.addDigits(line.bytes, line.startOfCell(2), line.endOfCell(2));
    return this.told.endRow();
  }
}
