import { Controller, Inject } from '@nestjs/common';
import { Endpoint } from '../common/endpoint.js';
import { Answer } from '../common/http.js';
import { READINESS } from '../common/tokens.js';
import { AliveView, ReadyView } from './health.view.js';
import type { Readiness } from './readiness.js';
import type { Plain } from '../common/plain-type.js';

/** For whoever watches over the process. */
@Controller()
export class HealthController {
  constructor(@Inject(READINESS) private readonly readiness: Readiness) {}

  @Endpoint({
    method: 'get',
    path: 'healthz',
    operationId: 'getHealth',
    summary: 'Is the process alive?',
    description: 'Looks at nothing but itself.',
    tag: 'Health',
    may: 'anybody',
    replies: [{ status: 200, type: AliveView, description: 'It is.' }],
  })
  alive(): Plain<AliveView> {
    return { status: 'ok' };
  }

  @Endpoint({
    method: 'get',
    path: 'readyz',
    operationId: 'getReadiness',
    summary: 'Can requests be answered?',
    description:
      'Asks the database, its schema, Temporal, and whether workers ask for work. No longer ready from the moment that the process was asked to end, while it still answers.',
    tag: 'Health',
    may: 'anybody',
    replies: [
      { status: 200, type: ReadyView, description: 'They can.' },
      { status: 503, type: ReadyView, description: 'A part does not answer.' },
    ],
  })
  async ready(): Promise<Answer<Plain<ReadyView>>> {
    const parts = await this.readiness.check();
    const ready = parts.every((part) => part.ready);
    return new Answer({ status: ready ? 'ready' : 'not_ready', parts }, { status: ready ? 200 : 503 });
  }
}
