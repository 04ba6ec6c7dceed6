import type { PoolClient } from 'pg';
import type { Stated } from '../domain/canonical.js';
import { compileSearch, wordsOf } from '../domain/search.js';
import { copyOut } from '../platform/copy.js';
import { encodeTextArray } from '../platform/copy-sink.js';
import { loadConfiguration, type LoadedConfiguration } from './configuration-store.js';
import { lastWrittenBy } from './golden-rows.js';
import type { Hub } from './hub.js';

const batchSize = 5_000;

export interface IndexOptions {
  /** Only the records that this run wrote last; absent: all of the institution. */
  readonly runId?: string;
  readonly alive?: () => void;
  readonly signal?: AbortSignal;
}

/** Keeps the words by which records are found up with the records. Idempotent; a record that is written meanwhile is looked at again
 *  after its run. One at a time for each institution, so that no older state is written over a newer one. Returns how many
 *  records it looked at. */
export async function indexNames(hub: Hub, institutionId: number, options: IndexOptions = {}): Promise<number> {
  const { entityTypes } = await loadConfiguration(hub, institutionId);
  return await hub.bulk(institutionId, async (reading) => {
    await reading.query('select pg_advisory_xact_lock($1, 0)', [institutionId]);
    const statistics = new WordStatistics(hub, institutionId);
    let looked = 0;
    for (const type of entityTypes)
      looked += await indexType(hub, reading, institutionId, type, { ...options, statistics });
    await statistics.gatherBeyond(1 / 10);
    return looked;
  });
}

/** As long as the statistics know few of the words, PostgreSQL looks for those of a batch among all that were written so far. */
class WordStatistics {
  /** Words since they were gathered. */
  private count = 0;

  constructor(
    private readonly hub: Hub,
    private readonly institutionId: number,
  ) {}

  written(words: number): void {
    this.count += words;
  }

  /** Gathers them where more was written since than so large a share of the words that they know. */
  async gatherBeyond(share: number): Promise<void> {
    if (this.count < batchSize) return;
    const known = await this.hub.read(this.institutionId, (client) =>
      client.query<{ known: number }>(`select reltuples as known from pg_class where oid = 'golden_words'::regclass`),
    );
    if (this.count < share * (known.rows[0]?.known ?? 0)) return;
    await this.hub.transaction(this.institutionId, (client) => client.query('analyze golden_words'));
    this.count = 0;
  }
}

async function indexType(
  hub: Hub,
  reading: PoolClient,
  institutionId: number,
  type: LoadedConfiguration['entityTypes'][number],
  { runId, alive, signal, statistics }: IndexOptions & { readonly statistics: WordStatistics },
): Promise<number> {
  const paths = compileSearch(type.definition);
  if (paths.length === 0 || type.definition.kind === 'posted') return 0;
  const only = runId === undefined ? '' : `and ${lastWrittenBy('golden_records', `= ${BigInt(runId)}`)}`;
  // Of wide records few groups have names.
  const groups = [...new Set(paths.map(({ group }) => group))];
  const texts = groups.map((group) => `"values"[${group + 1}]`).join(', ');
  const sql = `copy (select id, to_json(array[${texts}])::text from golden_records where entity_type_id = ${type.id} ${only} order by id) to stdout`;
  const record: (Stated | null)[] = type.definition.groups.map(() => null);
  let [looked, words] = [0, emptyBatch()];
  const write = async (): Promise<void> => {
    const batch = words;
    words = emptyBatch();
    if (batch.ids.length > 0) await hub.transaction(institutionId, (client) => writeWords(client, type.id, batch));
    statistics.written(batch.words.length);
    alive?.();
  };
  for await (const rows of copyOut(reading, sql, signal === undefined ? {} : { signal })) {
    for (const [id, values] of rows) {
      if (typeof id !== 'string' || typeof values !== 'string') continue;
      words.ids.push(id);
      for (const [place, value] of (JSON.parse(values) as (Stated | null)[]).entries())
        record[groups[place] ?? 0] = value;
      for (const word of wordsOf(paths, record)) {
        words.of.push(id);
        words.words.push(word);
      }
    }
    looked += rows.length;
    if (words.ids.length >= batchSize) {
      await write();
      await statistics.gatherBeyond(1);
    }
  }
  await write();
  return looked;
}

interface Batch {
  readonly ids: string[];
  /** Of which record each word is. */
  readonly of: string[];
  readonly words: string[];
}

const emptyBatch = (): Batch => ({ ids: [], of: [], words: [] });

async function writeWords(client: PoolClient, typeId: number, batch: Batch): Promise<void> {
  // As texts, made once for all statements: the driver would make them of each list for each of them.
  const [ids, of, words] = [`{${batch.ids.join(',')}}`, `{${batch.of.join(',')}}`, encodeTextArray(batch.words)];
  await client.query(
    `delete from golden_words w where w.golden_id = any ($1::bigint[])
       and not exists (select from unnest($2::bigint[], $3::text[]) n (golden_id, word) where n.golden_id = w.golden_id and n.word = w.word)`,
    [ids, of, words],
  );
  await client.query(
    `update golden_words w set subject_key = g.subject_key from golden_records g
     where w.golden_id = any ($1::bigint[]) and g.id = w.golden_id and w.subject_key is distinct from g.subject_key`,
    [ids],
  );
  // Nobody else writes them (`indexNames` locks), and `on conflict` would write each twice. In the order of the index of words. What these
  // records have is looked up by itself: all words of all records would be read otherwise.
  await client.query(
    `with there as materialized (select w.golden_id, w.word from golden_words w where w.golden_id = any ($4::bigint[]))
     insert into golden_words (golden_id, word, institution_id, entity_type_id, subject_key)
     select n.golden_id, n.word, g.institution_id, $1, g.subject_key
     from unnest($2::bigint[], $3::text[]) n (golden_id, word) join golden_records g on g.id = n.golden_id
     where not exists (select from there w where w.golden_id = n.golden_id and w.word = n.word)
     order by n.word collate "C", n.golden_id`,
    [typeId, of, words, ids],
  );
}
