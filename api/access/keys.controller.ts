import { Body, Controller, Inject, Param, Query } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { createApiKey, newSecret } from '../../database/api-keys.js';
import type { Hub } from '../../database/hub.js';
import { boundRoles } from '../../domain/access.js';
import type { Clock } from '../../platform/clock.js';
import { basePath, linkTo } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { decodeIdCursor, pageOf, type Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import { etagOf, requireMatch, withEtag } from '../common/etag.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { notFound, smallIdOf } from '../common/ids.js';
import { defaultLimit } from '../common/list-query.js';
import type { Plain } from '../common/plain-type.js';
import { partOf, Problem } from '../common/problem.js';
import { CLOCK, HUB } from '../common/tokens.js';
import { validationProblem } from '../common/validation.js';
import { CreateKeyBody, KeyListQuery, RotateKeyBody } from './access.dto.js';
import { KeyPage, KeyView, NewKeyView } from './access.view.js';
import { findKey, listKeys, revokeKey, rotateKey, type KeyRow } from './keys.queries.js';

const tag = 'Access';
const parameters = { keyId: 'The key.' };
const cacheControl = 'no-store';
const tenYears = 10 * 366 * 86_400_000;

/** The keys of programs. A secret is told once, when it is made, and only its hash is stored: so neither is kept by an
 *  Idempotency-Key. A key that was made and not read is revoked. */
@Controller(`${basePath.slice(1)}/keys`)
export class KeysController {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Endpoint({
    method: 'get',
    path: '',
    operationId: 'listKeys',
    summary: 'List API keys',
    description: 'Those of the institution, with their use; never their secrets.',
    tag,
    may: 'key:read',
    readsQuery: true,
    replies: [{ status: 200, type: KeyPage, description: 'A page of keys.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async list(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Query() query: KeyListQuery,
  ): Promise<Answer<Page<Plain<KeyView>>>> {
    const { limit = defaultLimit, cursor, ...asked } = query;
    const filter = ['keys', asked];
    const { state = 'active', role = null } = asked;
    const before = decodeIdCursor(filter, cursor);
    const now = this.clock.now();
    const rows = await this.hub.read(caller.institutionId, (client) =>
      listKeys(client, { state: state === 'all' ? null : state, role }, { before, most: limit + 1 }, now),
    );
    const toItem = (row: KeyRow): Plain<KeyView> => toView(row, now);
    return pageOf({ rows, limit, filter, url: request.url, position: (row) => [row.id], toItem });
  }

  @Endpoint({
    method: 'get',
    path: '{keyId}',
    operationId: 'getKey',
    summary: 'Look at an API key',
    description: 'What it may do, who made it, and when it was last used.',
    tag,
    may: 'key:read',
    parameters,
    ifNoneMatch: true,
    replies: [
      { status: 200, type: KeyView, description: 'The key.', headers: ['ETag'] },
      { status: 304, description: 'It is as you have it.' },
    ],
  })
  async get(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('keyId') keyId: string,
  ): Promise<Answer<Plain<KeyView> | undefined>> {
    const row = await this.hub.read(caller.institutionId, (client) => requireKey(client, keyId));
    return withEtag(request, toView(row, this.clock.now()), { etag: etagOf(row.version), cacheControl });
  }

  @Endpoint({
    method: 'post',
    path: '',
    operationId: 'createKey',
    summary: 'Make an API key',
    description: 'The key is in the reply, and nowhere else: keep it then.',
    tag,
    may: 'key:write',
    body: { type: CreateKeyBody, example: { name: 'Registry import', role: 'operator' } },
    replies: [{ status: 201, type: NewKeyView, description: 'The key, once.', headers: ['Location', 'ETag'] }],
  })
  async create(@CurrentCaller() caller: Caller, @Body() body: CreateKeyBody): Promise<Answer<Plain<NewKeyView>>> {
    const expiresAt = this.future('expiresAt', body.expiresAt);
    const { name, role, organisations = [] } = body;
    if (organisations.length > 0 && !boundRoles.includes(role))
      throw validationProblem([
        { pointer: '/organisations', code: 'invalid', detail: `the role ${role} is not bound to organisations` },
      ]);
    const made = await createApiKey(this.hub, caller.institutionId, {
      ...{ name, role, organisations, actor: caller.actor },
      ...(expiresAt === null ? {} : { expiresAt }),
    });
    const row = await this.hub.read(caller.institutionId, (client) => requireKey(client, String(made.id)));
    return this.toldOnce(row, made.key);
  }

  @Endpoint({
    method: 'post',
    path: '{keyId}/rotate',
    operationId: 'rotateKey',
    summary: 'Rotate an API key',
    description:
      'Makes another key of the same name and role, and lets the former end: at once, or when programs have had time to change over.',
    tag,
    may: 'key:write',
    parameters,
    ifMatch: true,
    body: { type: RotateKeyBody, required: false, example: { formerUntil: '2026-11-21T07:10:00Z' } },
    replies: [{ status: 201, type: NewKeyView, description: 'The new key, once.', headers: ['Location', 'ETag'] }],
    problems: ['state_forbids'],
  })
  async rotate(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('keyId') keyId: string,
    @Body() body: RotateKeyBody,
  ): Promise<Answer<Plain<NewKeyView>>> {
    const now = this.clock.now();
    const until = this.future('formerUntil', body.formerUntil) ?? now;
    const expiresAt = this.future('expiresAt', body.expiresAt);
    const { key, prefix, secretHash } = newSecret();
    const row = await this.hub.transaction(caller.institutionId, async (client) => {
      const former = await requireKey(client, keyId, { lock: true });
      requireMatch(request, versionOf(former), () => toView(former, now));
      if (stateOf(former, now) !== 'active')
        throw new Problem('state_forbids', 'A key that is revoked or expired is not rotated; make another one.');
      const made = { prefix, secretHash, actor: caller.actor, now, expiresAt };
      return await requireKey(client, String(await rotateKey(client, { id: former.id, until }, made)));
    });
    return this.toldOnce(row, key);
  }

  @Endpoint({
    method: 'post',
    path: '{keyId}/revoke',
    operationId: 'revokeKey',
    summary: 'Revoke an API key',
    description: 'It opens nothing from now on. Revoking it again changes nothing.',
    tag,
    may: 'key:write',
    parameters,
    ifMatch: true,
    replies: [{ status: 200, type: KeyView, description: 'The key, revoked.', headers: ['ETag'] }],
  })
  async revoke(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('keyId') keyId: string,
  ): Promise<Answer<Plain<KeyView>>> {
    const now = this.clock.now();
    const row = await this.hub.transaction(caller.institutionId, async (client) => {
      const found = await requireKey(client, keyId, { lock: true });
      if (found.revoked_at !== null) return found;
      requireMatch(request, versionOf(found), () => toView(found, now));
      await revokeKey(client, found.id, caller.actor, now);
      return await requireKey(client, keyId);
    });
    return new Answer(toView(row, now), { headers: { etag: etagOf(row.version) } });
  }

  private toldOnce(row: KeyRow, key: string): Answer<Plain<NewKeyView>> {
    return new Answer(
      { ...toView(row, this.clock.now()), key },
      { status: 201, headers: { location: linkTo(`keys/${row.id}`), etag: etagOf(row.version) } },
    );
  }

  /** @throws Problem validation_failed for a moment that is over, or very far away */
  private future(field: string, moment: string | undefined): Date | null {
    if (moment === undefined) return null;
    const date = new Date(moment);
    const away = date.getTime() - this.clock.now().getTime();
    if (away > 0 && away < tenYears) return date;
    throw validationProblem([partOf(`/${field}`, 'invalid', { field: 'isFuture', values: { field } })]);
  }
}

const requireKey = async (client: PoolClient, keyId: string, options?: { readonly lock: boolean }): Promise<KeyRow> => {
  const id = smallIdOf(keyId, 'key');
  const row = await findKey(client, id, options);
  if (row === null) throw notFound('key', keyId);
  return row;
};

const versionOf = (row: KeyRow): { version: number; changedBy: string; changedAt: string } => ({
  version: row.version,
  changedBy: row.changed_by ?? row.created_by,
  changedAt: (row.changed_at ?? row.created_at).toISOString(),
});

const stateOf = (row: KeyRow, now: Date): 'active' | 'expired' | 'revoked' => {
  if (row.revoked_at !== null) return 'revoked';
  return row.expires_at !== null && row.expires_at <= now ? 'expired' : 'active';
};

const toView = (row: KeyRow, now: Date): Plain<KeyView> => ({
  ...{ id: row.id, name: row.name, role: row.role, organisations: row.organisations },
  ...{ prefix: row.prefix, state: stateOf(row, now) },
  ...{ createdBy: row.created_by, createdAt: row.created_at.toISOString() },
  expiresAt: row.expires_at?.toISOString() ?? null,
  lastUsedAt: row.last_used_at?.toISOString() ?? null,
  revokedAt: row.revoked_at?.toISOString() ?? null,
  changedBy: row.changed_by,
});
