import { linkTo } from '../common/base-path.js';
import type { Plain } from '../common/plain-type.js';
import type { DeliveryRow, UploadRow } from './delivery.queries.js';
import type { DeliveryView, UploadView } from './delivery.view.js';

export const toDelivery = (row: DeliveryRow): Plain<DeliveryView> => ({
  ...{ id: row.id, systemId: String(row.system_id), system: row.system, name: row.name },
  ...{ state: row.state, digest: row.digest },
  files: row.files.map(({ entity, name, bytes, sha256 }) => ({ entity, name, bytes, sha256 })),
  manifest: row.manifest === null ? null : { complete: row.manifest.complete, scope: row.manifest.scope },
  ...{ errorCode: row.error_code, reason: row.reason, runId: row.run_id },
  seenAt: row.seen_at.toISOString(),
  links: { self: linkTo(`deliveries/${row.id}`), run: linkTo(`runs/${row.run_id}`) },
});

/** `received`: of each file, in their order. */
export const toUpload = (
  row: UploadRow,
  facts: { readonly received: readonly number[]; readonly known: boolean; readonly delivery: DeliveryRow | null },
): Plain<UploadView> => {
  const self = linkTo(`uploads/${row.id}`);
  return {
    ...{ id: row.id, systemId: String(row.system_id), digest: row.digest, state: row.state, known: facts.known },
    files: row.files.map(({ name, sha256, bytes }, index) => ({
      ...{ name, sha256, bytes, received: facts.received[index] ?? 0 },
      links: linksOf(row, name),
    })),
    delivery: facts.delivery === null ? null : toDelivery(facts.delivery),
    ...{ errorCode: row.error_code, reason: row.reason },
    links: { self, deliveries: linkTo(`deliveries?system=${row.system_id}`) },
  };
};

const linksOf = ({ id, state }: UploadRow, name: string): Record<string, string> =>
  state === 'open' ? { append: linkTo(`uploads/${id}/files/${encodeURIComponent(name)}`) } : {};

/** Contents that a run has seen already, however they came. */
export const toKnown = (delivery: DeliveryRow): Plain<UploadView> => ({
  ...{ id: null, systemId: String(delivery.system_id), digest: delivery.digest, state: 'placed', known: true },
  ...{ files: [], delivery: toDelivery(delivery), errorCode: delivery.error_code, reason: delivery.reason },
  links: { delivery: linkTo(`deliveries/${delivery.id}`) },
});
