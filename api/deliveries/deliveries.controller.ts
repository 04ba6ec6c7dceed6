import { Readable } from 'node:stream';
import { Body, Controller, Inject, Param, Query } from '@nestjs/common';
import type { Hub } from '../../database/hub.js';
import { basePath } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { decodeIdCursor, pageOf, type Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import type { Answer, HttpRequest } from '../common/http.js';
import { idOf, notFound, smallIdOf } from '../common/ids.js';
import { defaultLimit } from '../common/list-query.js';
import type { Plain } from '../common/plain-type.js';
import { Problem } from '../common/problem.js';
import { HUB } from '../common/tokens.js';
import { createValidationPipe, validationProblem } from '../common/validation.js';
import { AnnouncementBody, AppendQuery, DeliveryListQuery, SendQuery } from './delivery.dto.js';
import { findDelivery, listDeliveries } from './delivery.queries.js';
import { toDelivery } from './delivery-presenter.js';
import { DeliveryPage, DeliveryView, UploadView } from './delivery.view.js';
import { Uploads } from './uploads.js';

const tag = 'Deliveries';

/** Files that systems deliver, and files that are delivered over HTTP. */
@Controller(basePath.slice(1))
export class DeliveriesController {
  private readonly pipe = createValidationPipe();

  constructor(
    @Inject(HUB) private readonly hub: Hub,
    private readonly uploads: Uploads,
  ) {}

  @Endpoint({
    method: 'get',
    path: 'deliveries',
    operationId: 'listDeliveries',
    summary: 'List what was delivered',
    description: 'Newest first: the files that were seen, whether they were taken, and why not.',
    tag,
    may: 'delivery:read',
    readsQuery: true,
    replies: [{ status: 200, type: DeliveryPage, description: 'A page of deliveries.', headers: ['Link'] }],
    problems: ['cursor_mismatch', 'not_found'],
  })
  async list(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Query() query: DeliveryListQuery,
  ): Promise<Answer<Page<Plain<DeliveryView>>>> {
    const { limit = defaultLimit, cursor, ...asked } = query;
    const scope = ['deliveries', asked];
    const before = decodeIdCursor(scope, cursor);
    const filter = {
      systemId: asked.system === undefined ? null : smallIdOf(asked.system, 'system'),
      states: asked.state?.split(',') ?? null,
      runId: asked.run === undefined ? null : idOf(asked.run, 'run'),
      ...{ from: asked.from ?? null, to: asked.to ?? null },
    };
    const rows = await this.hub.read(caller.institutionId, (client) =>
      listDeliveries(client, filter, before, limit + 1),
    );
    return pageOf({ rows, limit, filter: scope, url: request.url, position: (row) => [row.id], toItem: toDelivery });
  }

  @Endpoint({
    method: 'get',
    path: 'deliveries/{deliveryId}',
    operationId: 'getDelivery',
    summary: 'Look at a delivery',
    description: 'Its files, its manifest, the run that took it, and why it was refused.',
    tag,
    may: 'delivery:read',
    parameters: { deliveryId: 'The delivery.' },
    replies: [{ status: 200, type: DeliveryView, description: 'The delivery.' }],
  })
  async get(@CurrentCaller() caller: Caller, @Param('deliveryId') deliveryId: string): Promise<Plain<DeliveryView>> {
    const id = idOf(deliveryId, 'delivery');
    const row = await this.hub.read(caller.institutionId, (client) => findDelivery(client, id));
    if (row === null) throw notFound('delivery', id);
    return toDelivery(row);
  }

  @Endpoint({
    method: 'post',
    path: 'systems/{systemId}/deliveries',
    operationId: 'deliver',
    summary: 'Deliver files to a system of files',
    description:
      'Announce the files as JSON (names, sha256, sizes), then send each to its `links.append` from `received` on, in as many parts as you like: what broke off goes on where it stopped. One CSV file may be sent at once instead (`text/csv`, with the parameter `file`). When all bytes are there they are checked, put where deliveries of the system come in, and its jobs are woken. The same contents again are the same delivery, and you are told so (`known`).',
    tag,
    may: 'delivery:upload',
    parameters: { systemId: 'The system.' },
    readsQuery: true,
    body: {
      type: AnnouncementBody,
      types: ['application/json', 'text/csv'],
      example: {
        files: [
          {
            name: 'staff.csv',
            sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
            bytes: 48213,
          },
        ],
        manifest: { complete: true },
      },
    },
    replies: [
      { status: 201, type: UploadView, description: 'Begun; whole where it was sent at once.', headers: ['Location'] },
      { status: 200, type: UploadView, description: 'These contents are known.' },
    ],
    problems: ['state_forbids', 'delivery_unreadable', 'delivery_incomplete'],
  })
  async deliver(
    @CurrentCaller() caller: Caller,
    @Param('systemId') systemId: string,
    @Query() query: SendQuery,
    @Body() body: unknown,
  ): Promise<Answer<Plain<UploadView>>> {
    const id = smallIdOf(systemId, 'system');
    if (body instanceof Readable) {
      if (query.file !== undefined) return await this.uploads.send(caller, id, query, body);
      body.resume();
      throw validationProblem([{ pointer: 'file', code: 'missing', detail: 'name the file: ?file=staff.csv' }]);
    }
    const checked: unknown = await this.pipe.transform(body, { type: 'body', metatype: AnnouncementBody });
    if (!(checked instanceof AnnouncementBody))
      throw validationProblem([{ pointer: '', code: 'invalid', detail: 'the body must be an object' }]);
    return await this.uploads.announce(caller, id, checked);
  }

  @Endpoint({
    method: 'get',
    path: 'uploads/{uploadId}',
    operationId: 'getUpload',
    summary: 'See how far an upload is',
    description: 'How many bytes of each file are there, and what became of it.',
    tag,
    may: 'delivery:upload',
    parameters: { uploadId: 'The upload.' },
    replies: [{ status: 200, type: UploadView, description: 'The upload.' }],
  })
  async upload(@CurrentCaller() caller: Caller, @Param('uploadId') uploadId: string): Promise<Plain<UploadView>> {
    return await this.uploads.get(caller, idOf(uploadId, 'upload'));
  }

  @Endpoint({
    method: 'post',
    path: 'uploads/{uploadId}/files/{fileName}',
    operationId: 'sendFile',
    summary: 'Send a file of an upload, or the rest of it',
    description:
      'The bytes from `offset` on, which has to be what was received so far; what is received stays received, also where the connection breaks. Streamed to disk, of any size that was announced.',
    tag,
    may: 'delivery:upload',
    parameters: { uploadId: 'The upload.', fileName: 'The name of the file.' },
    readsQuery: true,
    body: { type: String, types: ['application/octet-stream'], example: 'staff_no,family\r\nS7,Weber\r\n' },
    replies: [{ status: 200, type: UploadView, description: 'What is there now.' }],
    problems: ['offset_mismatch', 'delivery_incomplete', 'delivery_unreadable'],
  })
  async send(
    @CurrentCaller() caller: Caller,
    @Param('uploadId') uploadId: string,
    @Param('fileName') fileName: string,
    @Query() query: AppendQuery,
    @Body() body: unknown,
  ): Promise<Plain<UploadView>> {
    const id = idOf(uploadId, 'upload');
    if (!(body instanceof Readable))
      throw new Problem('media_type_unsupported', 'Send the bytes as application/octet-stream.');
    return await this.uploads.append(caller, id, fileName, query.offset ?? 0, body);
  }
}
