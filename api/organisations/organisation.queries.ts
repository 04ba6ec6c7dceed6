import type { PoolClient } from 'pg';

export interface OrganisationRow {
  readonly id: string;
  readonly code: string;
  readonly name: string | null;
  readonly parent: string | null;
  readonly depth: number;
  /** The caller is bound to it or to one above it, or to none. */
  readonly yours: boolean;
  /** Its place in the tree: the codes from the top, in the order of code points. */
  readonly position: string;
}

/** Deeper trees, and circles, end here. */
const deepest = 30;

/** Organisations in the order of the tree. One whose parent is not there stands at the top. */
export const listOrganisations = async (
  client: PoolClient,
  asked: { readonly below: string | null; readonly bound: readonly string[] },
  after: string | null,
  most: number,
): Promise<readonly OrganisationRow[]> => {
  const { rows } = await client.query<OrganisationRow>(
    `with recursive tree as (
       select o.id, o.code, o.name, o.parent, 0 as depth, o.code collate "C" as position, o.code = any ($2::text[]) or cardinality($2::text[]) = 0 as yours
       from concord.organisations o
       where o.code is not null and case when $1::text is null
         then o.parent is null or not exists (select from concord.organisations p where p.code = o.parent) else o.code = $1 end
       union all
       select o.id, o.code, o.name, o.parent, t.depth + 1, (t.position || chr(31) || o.code) collate "C", t.yours or o.code = any ($2::text[])
       from concord.organisations o join tree t on o.parent = t.code where o.code is not null and t.depth < ${deepest} and o.code <> t.code)
     select id, code, name, parent, depth, yours, position from tree
     where $3::text is null or position > $3 collate "C" order by position limit $4`,
    [asked.below, asked.bound, after, most],
  );
  return rows;
};
