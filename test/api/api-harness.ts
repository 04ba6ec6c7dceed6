import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { WorkflowClient, type WorkflowStartInput } from '@temporalio/client';
import pg from 'pg';
import { createApi, type ApiAccess } from '../../api/application.js';
import type { Readiness } from '../../api/health/readiness.js';
import type { PreviewRollback } from '../../api/runs/rollback.js';
import { createRunStarter } from '../../api/temporal/run-starter.js';
import { createApiKey } from '../../database/api-keys.js';
import { createHub, type Hub } from '../../database/hub.js';
import { listen } from '../../database/listen.js';
import { memberRoles, type MemberRole, type Role } from '../../domain/access.js';
import { ManualClock } from '../../platform/clock.js';
import { createLog } from '../../platform/log.js';
import { createDatabase, type TestDatabase } from '../harness/database.js';

export const base = '/api/secretary/data-sync';

/** Nobody signs in, and nobody asks too much. */
export const testAccess: ApiAccess = {
  publicUrl: 'http://127.0.0.1',
  hostKey: 'concord_host_of-the-tests-0123456789abcdef',
  providers: [],
  session: { idle: 60, absolute: 600 },
  rates: { read: 1e6, write: 1e6, work: 1e6, signIn: 1e6 },
  processes: 1,
  trustedProxies: [],
};

/** A reply, with its body read. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export interface Ask {
  readonly as?: Role | 'nobody' | 'stranger';
  readonly body?: unknown;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A workflow that was asked to be started. */
export interface Started {
  readonly type: string;
  readonly workflowId: string;
  readonly taskQueue: string;
  readonly args: readonly unknown[];
}

/** The API over real HTTP and PostgreSQL, with two institutions and a key of each role. */
export class ApiHarness {
  readonly started: Started[] = [];
  /** Workflows that were asked to end. */
  readonly cancelled: string[] = [];
  readonly clock = new ManualClock('2026-11-20T07:10:00Z');
  /** What the preview of a rollback says, by run. */
  readonly previews = new Map<string, Awaited<ReturnType<PreviewRollback>>>();
  /** Called before each start of a workflow. */
  beforeStart: (input: WorkflowStartInput) => Promise<void> = async () => undefined;
  ready: Awaited<ReturnType<Readiness['check']>> = [{ part: 'database', ready: true }];
  private readonly keys = new Map<string, string>();
  private readonly validators = new Map<string, ValidateFunction>();
  private document: OpenApi | null = null;

  private constructor(
    private readonly database: TestDatabase,
    readonly hub: Hub,
    /** As the owner, for seeding. */
    readonly owner: pg.Pool,
    readonly institutionId: number,
    readonly otherInstitutionId: number,
  ) {}

  url = '';
  readonly spoolFolder = mkdtempSync(join(tmpdir(), 'concord-spool-'));
  private access: Partial<ApiAccess> = {};
  private closeApi: () => Promise<void> = async () => undefined;

  static async open(access: Partial<ApiAccess> = {}): Promise<ApiHarness> {
    const database = await createDatabase();
    const hub = createHub({ url: database.url, role: 'concord_api', max: 10 });
    const owner = new pg.Pool({ connectionString: database.url, max: 4, options: '-c search_path=concord,staging' });
    const ensure = async (code: string): Promise<number> => {
      const { rows } = await owner.query<{ id: number }>(
        `select concord.ensure_institution($1, $1, 'Europe/London', 'test') as id`,
        [code],
      );
      return rows[0]?.id ?? 0;
    };
    const harness = new ApiHarness(database, hub, owner, await ensure('lakeside'), await ensure('elsewhere'));
    harness.access = access;
    await harness.makeKeys();
    await harness.listen();
    return harness;
  }

  async close(): Promise<void> {
    await this.closeApi();
    await this.hub.close();
    await this.owner.end();
    await this.database.drop();
    rmSync(this.spoolFolder, { recursive: true, force: true });
  }

  get(path: string, ask: Ask = {}): Promise<Reply> {
    return this.ask('GET', path, ask);
  }

  post(path: string, body?: unknown, ask: Ask = {}): Promise<Reply> {
    return this.ask('POST', path, { ...ask, ...(body === undefined ? {} : { body }) });
  }

  put(path: string, body: unknown, ask: Ask = {}): Promise<Reply> {
    return this.ask('PUT', path, { ...ask, body });
  }

  /** Asks, and checks the reply against the OpenAPI document. */
  async ask(method: string, path: string, ask: Ask = {}): Promise<Reply> {
    const token = this.keys.get(ask.as ?? 'steward');
    const body = ask.text ?? (ask.body === undefined ? undefined : JSON.stringify(ask.body));
    const address = path.startsWith('/') ? path : `${base}/${path}`;
    const response = await fetch(this.url + address, {
      method,
      redirect: 'manual',
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(ask.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...ask.headers,
      },
      ...(body === undefined ? {} : { body }),
    });
    const type = response.headers.get('content-type') ?? '';
    // A stream does not end by itself: that it begins is all that is asked here.
    if (type.startsWith('text/event-stream')) await response.body?.cancel();
    const text = response.bodyUsed ? '' : await response.text();
    const reply = {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : (JSON.parse(text) as unknown),
    };
    await this.checkAgainstDocument(method, address, reply);
    return reply;
  }

  get databaseUrl(): string {
    return this.database.url;
  }

  token(role: Role | 'stranger'): string {
    return this.keys.get(role) ?? '';
  }

  setToken(name: Role | 'nobody', token: string): void {
    this.keys.set(name, token);
  }

  async openApi(): Promise<OpenApi> {
    if (this.document === null) {
      const response = await fetch(`${this.url}${base}/openapi.json`);
      this.document = (await response.json()) as OpenApi;
    }
    return this.document;
  }

  private async makeKeys(): Promise<void> {
    const make = async (institutionId: number, role: MemberRole): Promise<string> =>
      (await createApiKey(this.hub, institutionId, { role, name: 'Test desk', actor: 'test' })).key;
    for (const role of memberRoles) this.keys.set(role, await make(this.institutionId, role));
    this.keys.set('host', testAccess.hostKey ?? '');
    this.keys.set('stranger', await make(this.otherInstitutionId, 'steward'));
  }

  private async listen(): Promise<void> {
    const application = await createApi({
      hub: this.hub,
      log: createLog({ level: 'silent', name: 'test' }),
      clock: this.clock,
      starter: createRunStarter(this.recordingClient()),
      readiness: { check: async () => this.ready },
      previewRollback: async (_hub, _institutionId, runId) => {
        const preview = this.previews.get(runId);
        if (preview === undefined) throw new Error('no preview was prepared');
        return preview;
      },
      listenForEvents: (heard) =>
        listen({
          ...{ url: this.database.url, role: 'concord_api', channel: 'concord_events', heard },
          failed: () => undefined,
        }),
      spoolFolder: this.spoolFolder,
      mostUploadBytes: 64 * 1024 * 1024,
      runWaitMilliseconds: 0,
      access: { ...testAccess, ...this.access },
      inquiryWaitMilliseconds: 0,
    });
    await application.listen({ port: 0, host: '127.0.0.1' });
    this.url = await application.getUrl();
    this.closeApi = () => application.close();
  }

  /* The real client, up to the point where it would speak to a server. */
  private recordingClient(): WorkflowClient {
    return new WorkflowClient({
      connection: { plugins: [], withDeadline: (_deadline: number, work: () => unknown) => work() } as never,
      interceptors: [
        {
          startWithDetails: async (input) => {
            await this.beforeStart(input);
            const { workflowId, taskQueue, args } = input.options;
            this.started.push({ type: input.workflowType, workflowId, taskQueue, args });
            return { runId: 'one', eagerlyStarted: false };
          },
          cancel: async ({ workflowExecution }) => {
            this.cancelled.push(workflowExecution.workflowId);
            return {};
          },
        },
      ],
    });
  }

  private async checkAgainstDocument(method: string, address: string, reply: Reply): Promise<void> {
    const document = await this.openApi();
    const path = address.split('?')[0] ?? '';
    const found = Object.entries(document.paths).find(
      ([template, item]) => method.toLowerCase() in item && matches(template, path),
    );
    if (found === undefined) return;
    const [template, item] = found;
    const place = `${method} ${template} ${reply.status}`;
    const response = item[method.toLowerCase()]?.responses[String(reply.status)];
    if (response === undefined) throw new Error(`the document knows no ${place}: ${JSON.stringify(reply.body)}`);
    if (reply.body === undefined) return;
    const type = reply.headers.get('content-type')?.split(';')[0] ?? '';
    const schema = response.content?.[type]?.schema;
    if (schema === undefined) throw new Error(`the document knows no ${type} for ${place}`);
    const validator = this.validators.get(place) ?? this.compile(document, schema);
    this.validators.set(place, validator);
    expect({ place, errors: validator(reply.body) ? null : validator.errors, body: reply.body }).toEqual({
      place,
      errors: null,
      body: reply.body,
    });
  }

  private compile(document: OpenApi, schema: object): ValidateFunction {
    const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
    return ajv.compile({ ...schema, components: document.components });
  }
}

export interface OpenApi {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
  readonly tags: readonly { readonly name: string }[];
}

export interface OpenApiOperation {
  readonly operationId: string;
  readonly 'x-permission': string;
  readonly summary: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly security?: readonly object[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[];
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly examples?: object; readonly schema: object }>>;
  };
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly description: string;
        readonly content?: Readonly<
          Record<string, { readonly schema: object; readonly examples?: object; readonly example?: unknown }>
        >;
      }
    >
  >;
}

const matches = (template: string, path: string): boolean =>
  new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path) &&
  !/\/(pending|create)$/.test(path.replace(template, ''));
