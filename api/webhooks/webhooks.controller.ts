import { Controller, Inject, Param } from '@nestjs/common';
import { ConfigError, readSecret } from '../../config/env.js';
import type { Hub } from '../../database/hub.js';
import type { Clock } from '../../platform/clock.js';
import { distrust } from '../../platform/webhook-signature.js';
import { basePath } from '../common/base-path.js';
import { rawBodyOf } from '../common/bodies.js';
import { CurrentRequest } from '../common/caller.js';
import { Endpoint } from '../common/endpoint.js';
import { headerOf, type HttpRequest } from '../common/http.js';
import { notFound, smallIdOf } from '../common/ids.js';
import type { Plain } from '../common/plain-type.js';
import { Problem } from '../common/problem.js';
import { CLOCK, HUB } from '../common/tokens.js';
import { findSystem } from '../deliveries/delivery.queries.js';
import { WebhookBody } from './webhook.dto.js';
import { WebhookView } from './webhook.view.js';

/** Systems that say when they have something new. */
@Controller(basePath.slice(1))
export class WebhooksController {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Endpoint({
    method: 'post',
    path: 'systems/{systemId}/webhook',
    operationId: 'wakeJobs',
    summary: 'Say that a system has something new',
    description:
      'Wakes the jobs that read the system. Signed as Standard Webhooks 1.0 says: `webhook-id`, `webhook-timestamp`, `webhook-signature` (`v1`, HMAC-SHA256), by the secret that the setting `webhook` of the system names; no older than five minutes. The same `webhook-id` again does nothing again. A job at work runs once more afterwards.',
    tag: 'Deliveries',
    may: 'anybody',
    parameters: { systemId: 'The system.' },
    body: { type: WebhookBody, example: { type: 'export.finished', timestamp: '2026-11-20T07:10:00Z', data: {} } },
    replies: [{ status: 200, type: WebhookView, description: 'Heard.' }],
    problems: ['unauthenticated', 'body_malformed'],
  })
  async hear(@CurrentRequest() request: HttpRequest, @Param('systemId') systemId: string): Promise<Plain<WebhookView>> {
    const id = smallIdOf(systemId, 'system');
    const { institutionId, name, secrets } = await this.secretsOf(id);
    const webhookId = headerOf(request, 'webhook-id') ?? '';
    const message = {
      id: webhookId,
      timestamp: headerOf(request, 'webhook-timestamp') ?? '',
      signature: headerOf(request, 'webhook-signature') ?? '',
      body: rawBodyOf(request),
    };
    const why = distrust(message, secrets, this.clock.now());
    if (why !== null || !/^[\x21-\x7e]{1,200}$/.test(webhookId)) {
      const detail =
        why === 'timestamp' ? 'webhook-timestamp is not of the last five minutes.' : 'The signature does not fit.';
      throw new Problem('unauthenticated', detail);
    }
    return await this.hub.transaction(institutionId, async (client) => {
      const { rowCount } = await client.query(
        `insert into concord.webhook_receipts (system_id, webhook_id, institution_id) values ($1, $2, $3) on conflict do nothing`,
        [id, webhookId, institutionId],
      );
      if (rowCount === 0) return { state: 'repeated', jobs: 0 };
      const { rows } = await client.query<{ jobs: number }>('select concord.wake_jobs_of_system($1, $2) as jobs', [
        ...[id, `webhook:${name}`],
      ]);
      return { state: 'woken', jobs: rows[0]?.jobs ?? 0 };
    });
  }

  /* A system without a webhook, and one that is not there, are told apart by nobody. */
  private async secretsOf(
    systemId: number,
  ): Promise<{ readonly institutionId: number; readonly name: string; readonly secrets: readonly string[] }> {
    const institutionId = await this.hub.system(async (client) => {
      const { rows } = await client.query<{ id: number | null }>('select concord.institution_of_system($1) as id', [
        systemId,
      ]);
      return rows[0]?.id ?? null;
    });
    if (institutionId === null) throw notFound('webhook of system', String(systemId));
    const system = await this.hub.read(institutionId, (client) => findSystem(client, systemId));
    const secret = secretNamedBy(system?.settings['webhook']);
    if (system === null || secret === null) throw notFound('webhook of system', String(systemId));
    return { institutionId, name: system.name, secrets: secret.split(/\s+/).filter((one) => one !== '') };
  }
}

const secretNamedBy = (reference: unknown): string | null => {
  if (typeof reference !== 'object' || reference === null || !('env' in reference)) return null;
  if (typeof reference.env !== 'string') return null;
  try {
    return readSecret(reference.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return null;
  }
};
