import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { loadConfiguration } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import { inquirySeconds, remedyOf, type InquiryKind } from '../../domain/inquiry.js';
import type { MappingTrial } from '../../domain/mapping-trial.js';
import { summaries } from '../../workflows/messages.js';
import { linkTo } from '../common/base-path.js';
import type { Caller } from '../common/caller.js';
import { Answer } from '../common/http.js';
import { idOf, notFound } from '../common/ids.js';
import type { Plain } from '../common/plain-type.js';
import { HUB, INQUIRY_WAIT, RUN_STARTER } from '../common/tokens.js';
import type { RunStarter } from '../temporal/run-starter.js';
import type { InquiryFailureView, InquiryView } from './inquiry.view.js';
import { maskTrial } from './mask-trial.js';

/** Questions and answers are kept for so long: they may hold personal data. */
const keptFor = '1 hour';

interface InquiryRow {
  readonly id: string;
  readonly kind: InquiryKind;
  readonly subject: string;
  readonly state: 'asked' | 'answered' | 'failed';
  readonly answer: unknown;
  readonly error_code: string | null;
  readonly error_detail: string | null;
  readonly asked_at: Date;
  readonly answered_at: Date | null;
  readonly unheard: boolean;
}

/** Asks systems through the workers, which alone reach them, and waits a moment for the answer. */
@Injectable()
export class AskSystem {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    @Inject(RUN_STARTER) private readonly starter: RunStarter,
    @Inject(INQUIRY_WAIT) private readonly waitMilliseconds: number,
  ) {}

  /** 200 with the answer, or 202 where it takes longer. */
  async ask(
    caller: Caller,
    question: { readonly kind: InquiryKind; readonly subject: string; readonly parameters?: object },
  ): Promise<Answer<Plain<InquiryView>>> {
    const { institutionId } = caller;
    const { kind, subject } = question;
    const inquiryId = await this.hub.transaction(institutionId, (client) => insert(client, caller, question));
    await this.starter.startInquiry({ institutionId, inquiryId }, summaries.inquiry(kind, subject));
    const row = await this.answered(caller, inquiryId);
    const view = await this.shown(caller, row);
    return row.state === 'asked'
      ? new Answer(view, { status: 202, headers: { location: linkTo(`inquiries/${inquiryId}`) } })
      : new Answer(view, { status: 200 });
  }

  /** Only who asked is told. @throws Problem not_found */
  async look(caller: Caller, id: string): Promise<Plain<InquiryView>> {
    return await this.shown(caller, await this.find(caller, idOf(id, 'inquiry')));
  }

  private async answered(caller: Caller, id: string): Promise<InquiryRow> {
    const until = Date.now() + this.waitMilliseconds;
    for (;;) {
      const row = await this.find(caller, id);
      if (row.state !== 'asked' || Date.now() >= until) return row;
      await pause(40);
    }
  }

  private async find(caller: Caller, id: string): Promise<InquiryRow> {
    const row = await this.hub.read(caller.institutionId, async (client) => {
      const { rows } = await client.query<InquiryRow>(
        `select id::text, kind, subject, state, answer, error_code, error_detail, asked_at, answered_at,
           asked_at < now() - make_interval(secs => $3) as unheard
         from concord.inquiries where id = $1 and asked_by = $2 and asked_at > now() - $4::interval`,
        [id, caller.actor, inquirySeconds, keptFor],
      );
      return rows[0];
    });
    if (row === undefined) throw notFound('inquiry', id);
    return row;
  }

  private async shown(caller: Caller, row: InquiryRow): Promise<Plain<InquiryView>> {
    const self = linkTo(`inquiries/${row.id}`);
    const failure = failureOf(row);
    return {
      ...{ id: row.id, kind: row.kind, subject: row.subject, state: failure === null ? row.state : 'failed' },
      ...{ askedAt: row.asked_at.toISOString(), answeredAt: row.answered_at?.toISOString() ?? null },
      ...{ answer: await this.seen(caller, row), failure, links: { self } },
    };
  }

  private async seen(caller: Caller, { kind, answer }: InquiryRow): Promise<unknown> {
    if (kind !== 'mapping_trial' || answer === null) return answer;
    const { entityTypes } = await loadConfiguration(this.hub, caller.institutionId);
    // Sound: what the worker wrote for this kind.
    return maskTrial(
      answer as MappingTrial,
      caller.role,
      entityTypes.map(({ definition }) => definition),
    );
  }
}

const insert = async (
  client: PoolClient,
  caller: Caller,
  question: { readonly kind: InquiryKind; readonly subject: string; readonly parameters?: object },
): Promise<string> => {
  await client.query('delete from concord.inquiries where asked_at < now() - $1::interval', [keptFor]);
  const { rows } = await client.query<{ id: string }>(
    `insert into concord.inquiries (institution_id, kind, subject, parameters, asked_by) values ($1, $2, $3, $4, $5)
     returning id::text`,
    [caller.institutionId, question.kind, question.subject, JSON.stringify(question.parameters ?? {}), caller.actor],
  );
  return rows[0]?.id ?? '';
};

const failureOf = (row: InquiryRow): Plain<InquiryFailureView> | null => {
  if (row.state === 'failed') {
    const code = row.error_code ?? 'internal';
    return { code, detail: row.error_detail ?? '', remedy: remedyOf(code) };
  }
  if (row.state !== 'asked' || !row.unheard) return null;
  return {
    ...{ code: 'internal', detail: 'No worker answered.' },
    remedy: 'Check that a worker runs, and ask again; its log says more where it did.',
  };
};
