import type { PoolClient } from 'pg';
import { stagingOf } from '../database/staging.js';
import type { RunRef } from '../domain/run.js';
import type { EntityTypeRef } from './context.js';
import { identifierPlaces } from './identifier-places.js';

/** Known records whose match fields changed and that share an identifier with another record now: a question whether they are the
 *  same, as for a new record. (Whether it was answered before is looked up where it is asked.) Needs the table `known`. */
export const recheckKnown = async (client: PoolClient, run: RunRef, type: EntityTypeRef): Promise<void> => {
  const schemes = type.definition.identifiers ?? [];
  if (type.definition.kind === 'reconciled' || schemes.length === 0) return;
  const staging = stagingOf(run.runId);
  const shared = schemes.filter((scheme) => scheme.shared === true).map(({ scheme }) => scheme);
  await client.query(
    `update ${staging.match(type.id)} m set rival = x.rival from (
       select k.ord, min(i.golden_id) as rival
       from (
         select k.ord, k.golden_id, c.match_name, c.match_birth, c.identifiers[n * 2 + 1] as scheme, c.identifiers[n * 2 + 2] as value
         from known k join ${staging.canon} c on c.ord = k.ord join record_images me on me.id = k.image_id
         join ${identifierPlaces(type)} on n < cardinality(c.identifiers) / 2
         where k.op = 'u' and k.golden_id is not null and k.rematched and c.identifiers is not null
           and (c.match_name is distinct from me.match_name or c.match_birth is distinct from me.match_birth
             or not exists (select 1 from record_identifiers o where o.image_id = me.id and o.scheme = c.identifiers[n * 2 + 1] and o.value = c.identifiers[n * 2 + 2]))
         -- Few change what they are matched by: whose identifiers these have is looked up then, and not for all.
         offset 0) k
       join record_identifiers d on d.entity_type_id = $1 and d.value = k.value and d.scheme = k.scheme and d.state = 'current'
       join record_images i on i.id = d.image_id and i.deleted_run is null and i.golden_id <> k.golden_id
       where k.scheme <> all ($2::text[]) or (k.match_birth = i.match_birth or k.match_name = i.match_name)
         and coalesce(k.match_birth = i.match_birth, true) and coalesce(k.match_name = i.match_name, true)
       group by k.ord) x where m.ord = x.ord`,
    [type.id, shared],
  );
};
