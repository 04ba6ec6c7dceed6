import type { PoolClient } from 'pg';

export interface DeliveryRow {
  readonly id: string;
  readonly system_id: number;
  readonly system: string;
  readonly digest: string;
  readonly name: string;
  readonly state: 'seen' | 'accepted' | 'refused' | 'rolled_back';
  readonly run_id: string;
  readonly manifest: DeliveryManifest | null;
  readonly files: readonly {
    readonly entity: string;
    readonly name: string;
    readonly bytes: number;
    readonly sha256: string;
  }[];
  readonly error_code: string | null;
  readonly reason: string | null;
  readonly seen_at: Date;
}

export interface DeliveryManifest {
  readonly complete?: boolean;
  readonly scope?: Readonly<Record<string, string>>;
}

const selectDeliveries = `
  select d.id, d.system_id, s.name as system, d.digest, d.name, d.state, d.run_id, d.manifest, d.files, d.error_code, d.reason, d.seen_at
  from concord.deliveries d join concord.data_source_configurations s on s.id = d.system_id`;

export interface DeliveryFilter {
  readonly systemId: number | null;
  readonly states: readonly string[] | null;
  readonly runId: string | null;
  readonly from: string | null;
  readonly to: string | null;
}

/** Newest first. */
export const listDeliveries = async (
  client: PoolClient,
  filter: DeliveryFilter,
  before: string | null,
  most: number,
): Promise<readonly DeliveryRow[]> => {
  const { rows } = await client.query<DeliveryRow>(
    `${selectDeliveries}
     where ($1::int is null or d.system_id = $1) and ($2::text[] is null or d.state = any ($2)) and ($3::bigint is null or d.run_id = $3)
       and ($4::timestamptz is null or d.seen_at >= $4) and ($5::timestamptz is null or d.seen_at < $5) and ($6::bigint is null or d.id < $6)
     order by d.id desc limit $7`,
    [filter.systemId, filter.states, filter.runId, filter.from, filter.to, before, most],
  );
  return rows;
};

export const findDelivery = async (client: PoolClient, id: string): Promise<DeliveryRow | null> => {
  const { rows } = await client.query<DeliveryRow>(`${selectDeliveries} where d.id = $1`, [id]);
  return rows[0] ?? null;
};

export const findDeliveryOfDigest = async (
  client: PoolClient,
  systemId: number,
  digest: string,
): Promise<DeliveryRow | null> => {
  const { rows } = await client.query<DeliveryRow>(`${selectDeliveries} where d.system_id = $1 and d.digest = $2`, [
    systemId,
    digest,
  ]);
  return rows[0] ?? null;
};

export interface SystemRow {
  readonly id: number;
  readonly name: string;
  readonly kind: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

export const findSystem = async (client: PoolClient, id: number): Promise<SystemRow | null> => {
  const { rows } = await client.query<SystemRow>(
    'select id, name, kind, settings from concord.data_source_configurations where id = $1 and not archived',
    [id],
  );
  return rows[0] ?? null;
};

export interface AnnouncedFile {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number;
}

export interface UploadRow {
  readonly id: string;
  readonly system_id: number;
  readonly digest: string;
  readonly files: readonly AnnouncedFile[];
  readonly manifest: string | null;
  readonly state: 'open' | 'received' | 'placed' | 'refused';
  readonly error_code: string | null;
  readonly reason: string | null;
  readonly actor: string;
  readonly created_at: Date;
}

const uploadColumns = 'id, system_id, digest, files, manifest, state, error_code, reason, actor, created_at';

export const findUpload = async (client: PoolClient, id: string): Promise<UploadRow | null> => {
  const { rows } = await client.query<UploadRow>(`select ${uploadColumns} from concord.uploads where id = $1`, [id]);
  return rows[0] ?? null;
};

/** The upload of these contents: the one that is there, or a new one. One that was refused may be sent again. */
export const openUpload = async (
  client: PoolClient,
  upload: Pick<UploadRow, 'system_id' | 'digest' | 'files' | 'manifest' | 'actor'> & { readonly institutionId: number },
): Promise<{ readonly row: UploadRow; readonly made: boolean }> => {
  const inserted = await client.query<UploadRow>(
    `insert into concord.uploads (institution_id, system_id, digest, files, manifest, actor) values ($1, $2, $3, $4, $5, $6)
     on conflict (system_id, digest) where state <> 'refused' do nothing returning ${uploadColumns}`,
    [
      ...[upload.institutionId, upload.system_id, upload.digest],
      ...[JSON.stringify(upload.files), upload.manifest, upload.actor],
    ],
  );
  const [made] = inserted.rows;
  if (made !== undefined) return { row: made, made: true };
  const found = await client.query<UploadRow>(
    `select ${uploadColumns} from concord.uploads where system_id = $1 and digest = $2 and state <> 'refused'`,
    [upload.system_id, upload.digest],
  );
  const [row] = found.rows;
  if (row === undefined) throw new Error('an upload that was there is gone');
  return { row, made: false };
};

/** True for the one who found it open. */
export const markReceived = async (client: PoolClient, id: string): Promise<boolean> => {
  const { rowCount } = await client.query(
    `update concord.uploads set state = 'received', updated_at = now() where id = $1 and state = 'open'`,
    [id],
  );
  return rowCount === 1;
};

export const refuseUpload = async (client: PoolClient, id: string, code: string, reason: string): Promise<void> => {
  await client.query(
    `update concord.uploads set state = 'refused', error_code = $2, reason = $3, updated_at = now() where id = $1 and state = 'open'`,
    [id, code, reason],
  );
};
