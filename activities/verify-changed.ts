import type { PoolClient } from 'pg';
import type { CopyTarget } from '../connectors/capabilities.js';
import { keySeparator, type RawRow } from '../domain/rows.js';
import { createSetDigest, sha256Octets } from '../platform/hash.js';
import type { StepCounts } from './contract.js';
import { inLanes } from './lanes.js';
import { readChunks, type Chunk } from './lease.js';
import { changedPart } from './publish-changed.js';
import { RowLines } from './row-lines.js';
import { isToldOnce, type Verifying } from './verifying.js';

/** While one chunk is read there, the keys of another are asked for here. */
const lanes = 2;

/** Where all that a run told was told by chunks of changed rows (`publishChanged`), each of those has to stand as its digest says. Null where
 *  one does not, or something was told otherwise: then row by row. */
export const verifyChanged = async (verifying: Verifying): Promise<StepCounts | null> => {
  const { dependencies, run, connector } = verifying;
  const { copy } = connector;
  if (copy === undefined) return null;
  const chunks = await dependencies.hub.read(run.institutionId, (client) => chunksOf(client, verifying));
  let [verified, stand] = [0, true];
  await inLanes(chunks, lanes, async (chunk) => {
    if (!stand) return;
    if (await stands(verifying, copy, chunk)) verified += rowsOf(chunk);
    else stand = false;
    dependencies.heartbeat();
  });
  return stand && verified > 0 ? { verified, differing: 0 } : null;
};

/** Whether the rows of a chunk stand in the target as it left them; false as well where they cannot be read by their keys. */
const stands = async (
  { dependencies, run, mapping, target }: Verifying,
  copy: CopyTarget,
  chunk: Chunk,
): Promise<boolean> => {
  const keys = await dependencies.hub.read(run.institutionId, (client) => keysOf(client, { run, mapping }, chunk));
  const lines = new RowLines(target.columns.length);
  const found = createSetDigest();
  let rows = 0;
  for (const bytes of (await copy.readText(target, keys)) ?? []) {
    for (let at = 0; at < bytes.length; rows += 1) {
      const { json, next } = lines.read(bytes, at);
      found.addOctets(sha256Octets(json));
      at = next;
    }
  }
  return rows === rowsOf(chunk) && found.hex() === chunk.digest;
};

const rowsOf = ({ counts }: Chunk): number => Number(counts['rows']);

/** The chunks of a run that told nothing otherwise, in one attempt; else none. */
const chunksOf = async (client: PoolClient, verifying: Verifying): Promise<readonly Chunk[]> => {
  const { run, mapping } = verifying;
  if (!(await isToldOnce(client, verifying))) return [];
  const chunks = await readChunks(client, run.runId, 'publish', changedPart(mapping));
  const [published] = await readChunks(client, run.runId, 'publish', `${mapping.id}/counts`);
  const { written, already } = published?.counts ?? {};
  const told = chunks.reduce((sum, chunk) => sum + rowsOf(chunk), 0);
  return Number(written) + Number(already) === told ? chunks : [];
};

/** The keys of a chunk by its entries, which lie beside each other. */
const keysOf = async (
  client: PoolClient,
  { run, mapping }: Pick<Verifying, 'run' | 'mapping'>,
  { cursor }: Chunk,
): Promise<RawRow[]> => {
  const [first, last] = (cursor ?? '').split('-');
  const { rows } = await client.query<{ key: string }>(
    `select after ->> 'key' as key from change_set_entries
     where run_id = $1 and kind = 'target' and mapping_id = $2 and row_id between $3 and $4 and outcome = 'written' and after is not null`,
    [run.runId, mapping.id, first, last],
  );
  return rows.map(({ key }) => key.split(keySeparator));
};
