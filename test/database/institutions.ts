import type { Hub } from '../../database/hub.js';

/** An institution of a test, by its code. */
export async function ensureInstitution(hub: Hub, code: string): Promise<number> {
  const answer = await hub.system((client) =>
    client.query<{ id: number }>(`select ensure_institution($1, $1, 'UTC', 'test') as id`, [code]),
  );
  const [row] = answer.rows;
  if (row === undefined) throw new Error('no institution');
  return row.id;
}
