import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import type { Hub } from '../../database/hub.js';
import { SyncError } from '../../domain/errors.js';
import { entityOfFile, type NamedFile } from '../../formats/csv/file-names.js';
import type { CsvDialect } from '../../formats/csv/dialect.js';
import { readCsvHeader } from '../../formats/csv/reader.js';
import { canonicalJson } from '../../platform/canonical-json.js';
import { digestOfContents } from '../../platform/hash.js';
import type { Caller } from '../common/caller.js';
import { Answer } from '../common/http.js';
import { notFound } from '../common/ids.js';
import { leaveWord } from '../common/outbox.js';
import type { Plain } from '../common/plain-type.js';
import { Problem, type ProblemPart } from '../common/problem.js';
import { HUB, SPOOL } from '../common/tokens.js';
import { validationProblem } from '../common/validation.js';
import type { AnnouncementRequest, SendRequest } from './delivery.dto.js';
import { toKnown, toUpload } from './delivery-presenter.js';
import {
  findDeliveryOfDigest,
  findSystem,
  findUpload,
  markReceived,
  openUpload,
  refuseUpload,
  type AnnouncedFile,
  type UploadRow,
} from './delivery.queries.js';
import type { UploadView } from './delivery.view.js';
import type { Spool } from './spool.js';

type FileSettings = Readonly<Record<string, NamedFile & CsvDialect>>;

interface Manifest {
  readonly complete: boolean;
  readonly scope: Readonly<Record<string, string>>;
}

interface Announced {
  readonly files: readonly (AnnouncedFile & { readonly rows?: number })[];
  readonly manifest: Manifest | null;
}

const manifestName = 'manifest.json';

/** Takes deliveries in for systems of files, in parts where it has to be. The files wait in the spool until all are there; a worker
 *  then puts them where deliveries of the system come in. */
@Injectable()
export class Uploads {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    @Inject(SPOOL) private readonly spool: Spool,
  ) {}

  /** Opens an upload, or finds the one of the same contents. @throws Problem not_found, state_forbids, validation_failed */
  async announce(caller: Caller, systemId: number, request: AnnouncementRequest): Promise<Answer<Plain<UploadView>>> {
    const settings = await this.filesOf(caller, systemId);
    const announced: Announced = {
      files: request.files.map(({ name, sha256, bytes, rows }) => ({
        ...{ name, sha256, bytes },
        ...(rows === undefined ? {} : { rows }),
      })),
      manifest:
        request.manifest === undefined
          ? null
          : { complete: request.manifest.complete, scope: scopeOf(request.manifest.scope ?? {}) },
    };
    const parts = problemsOf(announced.files, settings, this.spool.mostBytes);
    if (parts.length > 0) throw validationProblem(parts);
    return await this.open(caller, systemId, announced);
  }

  /** Takes one file in at once. @throws Problem not_found, state_forbids, validation_failed, body_too_large, media_type_unsupported,
   *  delivery_unreadable */
  async send(caller: Caller, systemId: number, query: SendRequest, body: Readable): Promise<Answer<Plain<UploadView>>> {
    const settings = await this.filesOf(caller, systemId);
    const name = query.file ?? '';
    const parts = problemsOf([{ name, sha256: '', bytes: 0 }], settings, this.spool.mostBytes).map((part) => ({
      ...part,
      pointer: 'file',
    }));
    if (parts.length > 0) throw validationProblem(parts);
    const spooled = await this.spool.take(body);
    try {
      const { sha256, bytes } = spooled;
      const rows = query.rows === undefined ? {} : { rows: query.rows };
      const manifest = manifestOf(query);
      const opened = await this.open(caller, systemId, { files: [{ name, sha256, bytes, ...rows }], manifest });
      const { id, state } = opened.body;
      if (id === null || state !== 'open') return opened;
      await this.spool.keep(spooled, id);
      return new Answer(await this.finish(caller, id), { status: opened.status ?? 200, headers: opened.headers });
    } finally {
      await this.spool.drop(spooled.path);
    }
  }

  /** Takes in the bytes of a file from an offset on; the last ones finish the upload.
   *  @throws Problem not_found, offset_mismatch, body_too_large, media_type_unsupported, delivery_incomplete, delivery_unreadable */
  async append(
    caller: Caller,
    uploadId: string,
    name: string,
    offset: number,
    body: Readable,
  ): Promise<Plain<UploadView>> {
    const upload = await this.require(caller, uploadId);
    const index = upload.files.findIndex((file) => file.name === name);
    const file = upload.files[index];
    if (file === undefined) throw notFound('file of this upload', name);
    if (upload.state !== 'open') {
      body.resume();
      return await this.view(caller, upload, true);
    }
    const received = await this.spool.received(uploadId, index);
    if (offset !== received) {
      body.resume();
      throw new Problem('offset_mismatch', `${received} bytes of ${name} are there; you sent from ${offset} on.`, {
        extensions: { received },
      });
    }
    await this.spool.append(uploadId, index, { offset, bytes: file.bytes }, body);
    return await this.finish(caller, uploadId);
  }

  async get(caller: Caller, uploadId: string): Promise<Plain<UploadView>> {
    return await this.view(caller, await this.require(caller, uploadId), true);
  }

  /* Where all bytes are there: are they those that were announced? Then the workers take over. */
  private async finish(caller: Caller, uploadId: string): Promise<Plain<UploadView>> {
    const upload = await this.require(caller, uploadId);
    const received = await this.receivedOf(upload);
    const whole = upload.files.every(({ bytes }, index) => received[index] === bytes);
    if (!whole || upload.state !== 'open') return await this.view(caller, upload, false);
    await this.verify(caller, upload);
    await this.hub.transaction(caller.institutionId, async (client) => {
      if (await markReceived(client, uploadId)) await leaveWord(client, caller.institutionId, 'upload', uploadId);
    });
    return await this.view(caller, await this.require(caller, uploadId), false);
  }

  private async verify(caller: Caller, upload: UploadRow): Promise<void> {
    for (const [index, { name, sha256 }] of upload.files.entries()) {
      if ((await this.spool.sha256(upload.id, index)) === sha256) continue;
      await this.spool.forget(upload.id, index);
      throw new Problem(
        'delivery_incomplete',
        `${name} has another sha256 than was announced. Send it again from 0 on.`,
        {
          extensions: { received: 0 },
        },
      );
    }
    const settings = await this.filesOf(caller, upload.system_id);
    for (const [index, { name }] of upload.files.entries()) {
      try {
        await readCsvHeader(this.spool.read(upload.id, index), settings[entityOfFile(settings, name) ?? ''] ?? {});
      } catch (error) {
        if (!(error instanceof SyncError)) throw error;
        await this.hub.transaction(caller.institutionId, (client) =>
          refuseUpload(client, upload.id, error.code, `${name}: ${error.message}`),
        );
        await this.spool.forget(upload.id, null);
        throw new Problem(error.code, `${name}: ${error.message}`, { cause: error });
      }
    }
  }

  private async open(caller: Caller, systemId: number, announced: Announced): Promise<Answer<Plain<UploadView>>> {
    const manifest = announced.manifest === null ? null : manifestText(announced, announced.manifest);
    const files = announced.files.map(({ name, sha256, bytes }) => ({ name, sha256, bytes }));
    const digest = digestOf(files, manifest);
    const found = await this.hub.transaction(caller.institutionId, async (client) => {
      const delivery = await findDeliveryOfDigest(client, systemId, digest);
      if (delivery !== null && delivery.state !== 'refused') return { delivery };
      const { institutionId, actor } = caller;
      return await openUpload(client, { institutionId, system_id: systemId, digest, files, manifest, actor });
    });
    if ('delivery' in found) return new Answer(toKnown(found.delivery), { status: 200 });
    const view = await this.view(caller, found.row, !found.made);
    return new Answer(view, {
      status: found.made ? 201 : 200,
      ...(found.made ? { headers: { location: view.links['self'] ?? '' } } : {}),
    });
  }

  private async view(caller: Caller, upload: UploadRow, known: boolean): Promise<Plain<UploadView>> {
    const delivery = await this.hub.read(caller.institutionId, (client) =>
      findDeliveryOfDigest(client, upload.system_id, upload.digest),
    );
    return toUpload(upload, { received: await this.receivedOf(upload), known, delivery });
  }

  private async receivedOf(upload: UploadRow): Promise<readonly number[]> {
    if (upload.state !== 'open') return upload.files.map(({ bytes }) => (upload.state === 'refused' ? 0 : bytes));
    return await Promise.all(upload.files.map((_, index) => this.spool.received(upload.id, index)));
  }

  private async require(caller: Caller, uploadId: string): Promise<UploadRow> {
    const upload = await this.hub.read(caller.institutionId, (client) => findUpload(client, uploadId));
    if (upload === null) throw notFound('upload', uploadId);
    return upload;
  }

  /* What files the system declares. Its folders, which may be secrets, are known to the workers alone. */
  private async filesOf(caller: Caller, systemId: number): Promise<FileSettings> {
    const system = await this.hub.read(caller.institutionId, (client) => findSystem(client, systemId));
    if (system === null) throw notFound('system', String(systemId));
    const { files, incoming } = system.settings;
    if (system.kind !== 'csv' || incoming === undefined || typeof files !== 'object' || files === null)
      throw new Problem('state_forbids', `System ${system.name} takes no deliveries of files.`);
    return files as FileSettings;
  }
}

const problemsOf = (
  files: readonly AnnouncedFile[],
  settings: FileSettings,
  mostBytes: number,
): readonly ProblemPart[] => {
  const seen = new Set<string>();
  const parts = files.flatMap(({ name }, index): ProblemPart[] => {
    const pointer = `/files/${index}/name`;
    const entity = /^[^./\\][^/\\\0]*$/.test(name) && !/\.part$/.test(name) ? entityOfFile(settings, name) : null;
    if (entity === null || name === manifestName) {
      const known = Object.entries(settings).map(([own, { file }]) => file ?? own);
      return [{ pointer, code: 'unknown', detail: `this is none of the system's files: ${known.join(', ')}` }];
    }
    if (seen.has(entity)) return [{ pointer, code: 'repeated', detail: `there is another file of ${entity}` }];
    seen.add(entity);
    return [];
  });
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total <= mostBytes) return parts;
  return [...parts, { pointer: '/files', code: 'too_large', detail: `a delivery has at most ${mostBytes} bytes` }];
};

const scopeOf = (scope: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> => {
  const wrong = Object.entries(scope).filter(([, value]) => typeof value !== 'string');
  if (wrong.length > 0) {
    throw validationProblem(
      wrong.map(([name]) => ({
        pointer: `/manifest/scope/${name}`,
        code: 'invalid',
        detail: `${name} must be a text`,
      })),
    );
  }
  return scope as Readonly<Record<string, string>>;
};

const manifestOf = ({ complete, scope, rows }: SendRequest): Manifest | null => {
  if (complete === undefined && scope === undefined && rows === undefined) return null;
  const parts = scope?.split(';').map((part): [string, string] => {
    const [name = '', value = ''] = part.split('=');
    return [name.trim(), value.trim()];
  });
  return { complete: complete === 'true', scope: Object.fromEntries(parts ?? []) };
};

const manifestText = ({ files }: Announced, { complete, scope }: Manifest): string =>
  canonicalJson({
    ...{ complete, scope },
    files: Object.fromEntries(
      files.map(({ name, sha256, rows }) => [name, { sha256, ...(rows === undefined ? {} : { rows }) }]),
    ),
  });

/* As the connector will find it. */
const digestOf = (files: readonly AnnouncedFile[], manifest: string | null): string => {
  const contents = files
    .map(({ name, sha256 }) => [name, sha256] as const)
    .sort(([left], [right]) => (left < right ? -1 : 1));
  if (manifest === null) return digestOfContents(contents);
  return digestOfContents([...contents, [manifestName, createHash('sha256').update(manifest).digest('hex')]]);
};
