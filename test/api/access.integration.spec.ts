import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createApiKey, revokeApiKey } from '../../database/api-keys.js';
import { roles, rolesWith, type Permission } from '../../domain/access.js';
import type { ProblemPart } from '../../api/common/problem.js';
import { ApiHarness, base, type OpenApiOperation, type Reply } from './api-harness.js';
import { World } from './builders.js';

let api: ApiHarness;
let world: World;
beforeAll(async () => {
  api = await ApiHarness.open();
  world = await World.build(api);
});
afterAll(async () => {
  await api.close();
});

interface ReadersAndWriters {
  readonly read: readonly string[];
  readonly write: readonly string[];
}
const everybodyReads: ReadersAndWriters = {
  read: ['secretary', 'steward', 'operator', 'auditor', 'admin'],
  write: ['steward'],
};

/* The routes that every kind of configured things has. Rules have no dependents. */
const configured = (noun: string, { read, write }: ReadersAndWriters): Readonly<Record<string, readonly string[]>> => ({
  ...Object.fromEntries(['create', 'put', 'archive', 'restore', 'revert'].map((verb) => [`${verb}${noun}`, write])),
  ...Object.fromEntries(
    [`list${noun}s`, `get${noun}`, `list${noun}Versions`, `get${noun}Version`].map((id) => [id, read]),
  ),
  ...(noun === 'Rule' ? {} : { [`get${noun}Dependents`]: read }),
});

/** Every route, and whom it admits: the table of roles in the threat model. */
const admits: Readonly<Record<string, readonly string[]>> = {
  getOverview: ['secretary', 'steward', 'operator', 'auditor', 'admin'],
  createJob: ['steward'],
  listJobs: ['secretary', 'steward', 'operator', 'auditor'],
  getJob: ['secretary', 'steward', 'operator', 'auditor'],
  startRun: ['secretary', 'steward', 'operator'],
  listRuns: ['secretary', 'steward', 'operator', 'auditor'],
  getRun: ['secretary', 'steward', 'operator', 'auditor'],
  listRejectedRecords: ['secretary', 'steward', 'auditor'],
  groupRejectedRecords: ['secretary', 'steward', 'auditor'],
  findRejectedRecords: ['secretary', 'steward', 'auditor'],
  getRejectedRecord: ['secretary', 'steward', 'auditor'],
  correctRejectedRecord: ['steward'],
  withdrawCorrection: ['steward'],
  replayRejectedRecord: ['steward'],
  replayRejectedRecords: ['steward'],
  getRunProgress: ['secretary', 'steward', 'operator', 'auditor'],
  listRunChanges: ['secretary', 'steward', 'auditor'],
  cancelRun: ['steward', 'operator'],
  groupFindings: ['secretary', 'steward', 'auditor'],
  listFindings: ['secretary', 'steward', 'auditor'],
  previewRollback: ['secretary', 'steward', 'operator', 'auditor'],
  rollBackRun: ['steward'],
  listMappings: ['secretary', 'steward', 'operator', 'auditor', 'admin'],
  getMapping: ['secretary', 'steward', 'operator', 'auditor', 'admin'],
  putMapping: ['steward'],
  listConflicts: ['secretary', 'steward', 'auditor'],
  getConflict: ['secretary', 'steward', 'auditor'],
  countConflicts: ['secretary', 'steward', 'operator', 'auditor'],
  assignConflict: ['secretary', 'steward'],
  takeBackDecision: ['secretary', 'steward'],
  takeBackDecisions: ['secretary', 'steward'],
  takeBackHeldDecision: ['secretary', 'steward'],
  decideConflict: ['secretary', 'steward'],
  decideConflicts: ['secretary', 'steward'],
  listHeldChanges: ['secretary', 'steward', 'operator', 'auditor'],
  getHeldChange: ['secretary', 'steward', 'operator', 'auditor'],
  listHeldRecords: ['secretary', 'steward', 'auditor'],
  releaseHeldChange: ['secretary', 'steward'],
  discardHeldChange: ['secretary', 'steward'],
  getDecisionBatch: ['secretary', 'steward', 'operator', 'auditor'],
  findGoldenRecords: ['secretary', 'steward', 'auditor'],
  getGoldenRecord: ['secretary', 'steward', 'auditor'],
  overrideGoldenRecord: ['steward'],
  watchEvents: ['secretary', 'steward', 'operator', 'auditor'],
  issueEventTicket: ['secretary', 'steward', 'operator', 'auditor'],
  listDeliveries: ['secretary', 'steward', 'operator', 'auditor'],
  getDelivery: ['secretary', 'steward', 'operator', 'auditor'],
  deliver: ['secretary', 'steward', 'operator'],
  getUpload: ['secretary', 'steward', 'operator'],
  sendFile: ['secretary', 'steward', 'operator'],
  liftOverride: ['steward'],
  listGoldenVersions: ['secretary', 'steward', 'auditor'],
  getGoldenRecordAsOf: ['secretary', 'steward', 'auditor'],
  getGoldenProvenance: ['secretary', 'steward', 'auditor'],
  getGoldenTargets: ['secretary', 'steward', 'auditor'],
  syncGoldenRecord: ['secretary', 'steward'],
  revealGoldenRecord: ['secretary', 'steward'],
  listDisclosures: ['steward', 'auditor'],
  listRestrictions: ['secretary', 'steward', 'auditor'],
  getRestriction: ['secretary', 'steward', 'auditor'],
  placeRestriction: ['secretary', 'steward'],
  releaseRestriction: ['steward'],
  listOrganisations: ['secretary', 'steward', 'operator', 'auditor', 'admin'],
  validateQuality: ['secretary', 'steward'],
  getMe: ['secretary', 'steward', 'operator', 'auditor', 'admin'],
  switchGrant: ['secretary', 'steward', 'operator', 'auditor', 'admin'],
  listKeys: ['auditor', 'admin'],
  getKey: ['auditor', 'admin'],
  createKey: ['admin'],
  rotateKey: ['admin'],
  revokeKey: ['admin'],
  listInstitutions: ['host'],
  createInstitution: ['host'],
  createAdminKey: ['host'],
  getInstitution: ['secretary', 'steward', 'operator', 'auditor', 'admin'],
  putInstitution: ['steward', 'admin'],
  revertInstitution: ['steward', 'admin'],
  listInstitutionVersions: ['secretary', 'steward', 'operator', 'auditor', 'admin'],
  getInstitutionVersion: ['secretary', 'steward', 'operator', 'auditor', 'admin'],
  ...configured('System', { read: ['steward', 'operator', 'auditor', 'admin'], write: ['steward', 'admin'] }),
  ...configured('EntityType', everybodyReads),
  ...configured('CodeTable', everybodyReads),
  ...configured('Rule', everybodyReads),
  ...configured('Mapping', everybodyReads),
  ...configured('Job', { read: ['secretary', 'steward', 'operator', 'auditor'], write: ['steward'] }),
  testSystem: ['steward', 'operator', 'admin'],
  discoverSystem: ['steward', 'admin'],
  getSystemCapabilities: ['steward', 'operator', 'auditor', 'admin'],
  getInquiry: ['secretary', 'steward', 'operator', 'admin'],
  dryRunMapping: ['secretary', 'steward'],
  proposeMapping: ['steward'],
  diffConfiguration: ['steward', 'auditor', 'admin'],
  applyConfiguration: ['steward'],
  exportConfiguration: ['steward', 'auditor', 'admin'],
  pauseJob: ['steward', 'operator'],
  resumeJob: ['steward', 'operator'],
};

const open = [
  ...['getHealth', 'getReadiness', 'getProblemType', 'getConfigurationSchema', 'wakeJobs'],
  ...['getProviders', 'beginSignIn', 'completeSignIn', 'signOut'],
];

const routes = async (): Promise<readonly { method: string; path: string; operation: OpenApiOperation }[]> => {
  const { paths } = await api.openApi();
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method, path, operation })),
  );
};

/* Nothing has this id: whoever is admitted is told so, or that the request is not valid. */
const addressOf = (path: string): string => path.replaceAll(/\{\w+\}/g, '999999');

describe('whom routes admit', () => {
  test('every route is in the table', async () => {
    const ids = (await routes()).map(({ operation }) => operation.operationId).sort();
    expect(ids).toEqual([...Object.keys(admits), ...open].sort());
  });

  test('every route names its cell of the table of permissions, which opens it to those roles', async () => {
    for (const { operation } of await routes()) {
      const cell = operation['x-permission'];
      if (open.includes(operation.operationId))
        expect([operation.operationId, cell]).toEqual([operation.operationId, 'anybody']);
      else
        expect([operation.operationId, rolesWith(cell as Permission)]).toEqual([
          operation.operationId,
          admits[operation.operationId],
        ]);
    }
  });

  test('without a key, with an unknown, a wrong, a revoked or an expired one nobody is let in', async () => {
    const { id, key } = await createApiKey(api.hub, api.institutionId, {
      role: 'steward',
      name: 'revoked',
      actor: 'test',
    });
    await revokeApiKey(api.hub, api.institutionId, id, api.clock.now());
    const expired = await createApiKey(api.hub, api.institutionId, {
      ...{ role: 'steward', name: 'expired', actor: 'test' },
      expiresAt: new Date('2026-11-20T07:09:59Z'),
    });
    const wrong = `${api.token('steward').slice(0, -1)}${api.token('steward').endsWith('A') ? 'B' : 'A'}`;
    for (const token of [
      '',
      'nonsense',
      'concord_000000000000_00000000000000000000000000000000',
      wrong,
      key,
      expired.key,
    ]) {
      const { status, headers, body } = await api.get('status/overview', {
        as: 'nobody',
        headers: token === '' ? {} : { authorization: `Bearer ${token}` },
      });
      expect({ token: token.slice(0, 8), status, body }).toEqual({
        ...{ token: token.slice(0, 8), status: 401 },
        body: expect.objectContaining({ code: 'unauthenticated', type: `${base}/problems/unauthenticated` }),
      });
      expect(headers.get('www-authenticate')).toContain('Bearer');
    }
  });

  test('every route refuses a request without a key, and every role that it does not name', async () => {
    for (const { method, path, operation } of await routes()) {
      const admitted = admits[operation.operationId];
      if (admitted === undefined) continue;
      const none = await api.ask(method.toUpperCase(), addressOf(path), {
        as: 'nobody',
        ...(method === 'get' ? {} : { body: {} }),
      });
      expect([operation.operationId, none.status]).toEqual([operation.operationId, 401]);
      const refused = await Promise.all(
        roles.map(async (role) => {
          const { status } = await api.ask(method.toUpperCase(), addressOf(path), {
            as: role,
            ...(method === 'get' ? {} : { body: {} }),
          });
          return status === 403 ? [role] : [];
        }),
      );
      expect([operation.operationId, refused.flat()]).toEqual([
        operation.operationId,
        roles.filter((role) => !admitted.includes(role)),
      ]);
    }
  }, 240_000);

  test('another institution finds nothing of ours', async () => {
    const run = await world.run({ state: 'completed_with_questions' });
    const golden = await world.golden(run);
    const question = await world.question(run, golden);
    const held = await world.held(run);
    const decision = { version: 1, choice: { keep: true } };
    const replies = await Promise.all([
      api.get(`runs/${run}`, { as: 'stranger' }),
      api.get(`runs/${run}/rejected`, { as: 'stranger' }),
      api.get(`runs/${run}/findings`, { as: 'stranger' }),
      api.post(`runs/${run}/rollback/preview`, undefined, { as: 'stranger' }),
      api.post(
        `runs/${run}/rollback`,
        { previewHash: 'x', reason: 'x' },
        { as: 'stranger', headers: { 'idempotency-key': 'a' } },
      ),
      api.post(`jobs/${world.jobId}/runs`, {}, { as: 'stranger', headers: { 'idempotency-key': 'b' } }),
      api.get(`jobs/${world.jobId}`, { as: 'stranger' }),
      api.get(`conflicts/${question}`, { as: 'stranger' }),
      api.post(`conflicts/${question}/decision`, decision, { as: 'stranger' }),
      api.get(`held-changes/${held}`, { as: 'stranger' }),
      api.get(`held-changes/${held}/records`, { as: 'stranger' }),
      api.post(`held-changes/${held}/release`, { version: 1, reason: 'x' }, { as: 'stranger' }),
      api.get(`golden-records/${golden}`, { as: 'stranger' }),
      api.post(`golden-records/${golden}/override`, { group: 'email', value: 'x', reason: 'x' }, { as: 'stranger' }),
      api.get(`mappings/${world.mappingIds['hr.staff'] ?? 0}`, { as: 'stranger' }),
    ]);
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 404));
    expect((await api.get('runs', { as: 'stranger' })).body).toMatchObject({ items: [] });
    expect((await api.get('conflicts/pending', { as: 'stranger' })).body).toMatchObject({ items: [], count: 0 });
    expect(await world.count(`decision_batches`)).toBe(0);
  });
});

describe('problems', () => {
  const problem = (status: number, code: string): object => ({
    status,
    body: expect.objectContaining({
      ...{ status, code, type: `${base}/problems/${code}` },
      title: expect.any(String),
      detail: expect.any(String),
      instance: expect.stringMatching(/^\/api/),
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
    }),
  });

  test('have one shape wherever they come from', async () => {
    expect(await api.get('nowhere')).toMatchObject(problem(404, 'not_found'));
    expect(await api.ask('DELETE', 'runs/1')).toMatchObject(problem(404, 'not_found'));
    expect(await api.get('runs/none')).toMatchObject(problem(404, 'not_found'));
    expect(await api.get('runs/99999999999999999999')).toMatchObject(problem(404, 'not_found'));
    expect(
      await api.post('jobs/create', undefined, { text: '{"a"', headers: { 'content-type': 'application/json' } }),
    ).toMatchObject(problem(400, 'body_malformed'));
    expect(
      await api.post('jobs/create', undefined, { text: '', headers: { 'content-type': 'application/json' } }),
    ).toMatchObject(problem(400, 'body_malformed'));
    expect(
      await api.post('jobs/create', undefined, { text: 'a: b', headers: { 'content-type': 'application/yaml' } }),
    ).toMatchObject(problem(415, 'media_type_unsupported'));
    expect(await api.post('jobs/create', { name: 'x'.repeat(6_000_000) })).toMatchObject(
      problem(413, 'body_too_large'),
    );
    expect(
      await api.post('jobs/create', undefined, {
        text: '{"__proto__": {"a": 1}}',
        headers: { 'content-type': 'application/json' },
      }),
    ).toMatchObject(problem(400, 'body_malformed'));
    expect(await api.get('conflicts/pending?cursor=nonsense')).toMatchObject(problem(400, 'cursor_mismatch'));
    expect(await api.get(`runs/${'0'.repeat(5000)}`)).toMatchObject(problem(404, 'not_found'));
    expect(await api.get('runs/%zz')).toMatchObject(problem(400, 'body_malformed'));
    expect(await api.get(`runs?cursor=${'%C2%95'.repeat(4000)}`)).toMatchObject(problem(400, 'validation_failed'));
    expect(await api.get('conflicts/pending?group=%00')).toMatchObject(problem(400, 'validation_failed'));
    expect(await api.get('status/overview', { headers: { 'if-none-match': 'x'.repeat(300) } })).toMatchObject(
      problem(400, 'validation_failed'),
    );
  });

  test('name each field with a pointer, unknown ones too', async () => {
    const { status, headers, body } = await api.post('jobs/create', {
      name: 5,
      sources: ['a', ''],
      colour: 'red',
      limits: [{ operation: 'explode' }],
    });
    expect(status).toBe(400);
    expect(headers.get('content-type')).toContain('application/problem+json');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toMatchObject({ code: 'validation_failed' });
    const { errors } = body as { errors: { pointer: string; code: string }[] };
    expect([...new Set(errors.map(({ pointer, code }) => `${pointer} ${code}`))].sort()).toEqual([
      '/colour unknown',
      '/limits/0/operation invalid',
      '/name invalid',
      '/sources invalid',
      '/targets missing',
    ]);
  });

  test('parameters that a route does not know are refused, on routes without parameters too', async () => {
    expect(await api.get('conflicts/pending?colour=red')).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/colour', code: 'unknown' }] },
    });
    expect(await api.get('status/overview?colour=red')).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: 'colour', code: 'unknown' }] },
    });
    expect(await api.get('runs?limit=0')).toMatchObject({ status: 400 });
    expect(await api.get('runs?limit=201')).toMatchObject({ status: 400 });
    expect(await api.get('runs?limit=ten')).toMatchObject({ status: 400 });
    expect(await api.get('runs?limit=1&limit=2')).toMatchObject({ status: 400 });
  });

  test('carry the trace of the caller', async () => {
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    const { headers, body } = await api.get('nowhere', { headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01` } });
    expect(headers.get('trace-id')).toBe(trace);
    expect(body).toMatchObject({ traceId: trace });
  });

  test('are told in the language that the caller prefers; codes and pointers stay', async () => {
    const ask = (language: string): Promise<Reply> =>
      api.post('jobs/create', { name: 'x'.repeat(300) }, { headers: { 'accept-language': language } });
    const replies = await Promise.all(['en', 'de-CH, en;q=0.5', 'ar'].map(ask));
    expect(replies.map(({ headers }) => headers.get('content-language'))).toEqual(['en', 'de', 'ar']);
    expect(replies.map(({ headers }) => headers.get('vary'))).toEqual(replies.map(() => 'accept-language'));
    const documents = replies.map(({ body }) => body as { title: string; code: string; errors: ProblemPart[] });
    expect(documents.map(({ title }) => title)).toEqual([
      'The request is not valid',
      'Die Anfrage ist nicht gültig',
      'الطلب غير صالح',
    ]);
    expect(new Set(documents.map(({ code }) => code)).size).toBe(1);
    const partsOf = ({ errors }: { errors: ProblemPart[] }): string[] =>
      errors.map(({ pointer, code }) => `${pointer} ${code}`);
    expect(documents.map(partsOf)).toEqual(documents.map(() => partsOf(documents[0] ?? { errors: [] })));
    expect(documents[1]?.errors.find(({ pointer }) => pointer === '/sources')?.detail).toBe('sources fehlt');
    const page = await api.get('problems/forbidden', { as: 'nobody', headers: { 'accept-language': 'de' } });
    expect(page).toMatchObject({ status: 200, body: { title: 'Nicht mit dieser Rolle', code: 'forbidden' } });
    expect(page.headers.get('content-language')).toBe('de');
  });

  test('every type leads to a page', async () => {
    expect(await api.get('problems/conflict_changed', { as: 'nobody' })).toMatchObject({
      status: 200,
      body: { code: 'conflict_changed', status: 409 },
    });
    expect(await api.get('problems/source_schema_changed', { as: 'nobody' })).toMatchObject({
      status: 200,
      body: { actor: 'secretary' },
    });
    expect(await api.get('problems/none', { as: 'nobody' })).toMatchObject({ status: 404 });
  });
});

describe('health', () => {
  test('the process is alive', async () => {
    expect(await api.get('/healthz', { as: 'nobody' })).toMatchObject({ status: 200, body: { status: 'ok' } });
  });

  test('ready is when every part answers', async () => {
    expect(await api.get('/readyz', { as: 'nobody' })).toMatchObject({ status: 200, body: { status: 'ready' } });
    api.ready = [
      { part: 'database', ready: true },
      { part: 'temporal', ready: false },
    ];
    expect(await api.get('/readyz', { as: 'nobody' })).toMatchObject({
      status: 503,
      body: { status: 'not_ready', parts: [{}, { part: 'temporal', ready: false }] },
    });
  });
});
