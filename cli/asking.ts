import { setTimeout as pause } from 'node:timers/promises';
import { dataOf, itemsOf } from '../client/client.js';
import type { ConcordClient, Schemas } from '../client/client.js';
import type { Call, OptionSpec } from './command.js';
import { exitCodes } from './exit-codes.js';
import type { ExitCode } from './exit-codes.js';
import { Failure, wrongUsage } from './failure.js';

/* What several commands ask the API. */

export const limitOption: OptionSpec = { name: 'limit', value: 'N', description: 'at most so many (default 50)' };

/** What `--limit` says. @throws Failure usage */
export function limitOf(call: Call): number {
  const text = call.given('limit') ?? '50';
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw wrongUsage(`--limit ${text} is no number of at least 1.`);
}

/** The first items of a list, page after page, and whether there are more. @throws ApiRefusal */
export async function firstOf<Item>(
  most: number,
  ask: Parameters<typeof itemsOf<Item>>[0],
): Promise<{ readonly items: readonly Item[]; readonly more: boolean }> {
  const items: Item[] = [];
  for await (const item of itemsOf(ask)) {
    if (items.length === most) return { items, more: true };
    items.push(item);
  }
  return { items, more: false };
}

/** What to say below a list that is cut off. */
export const moreLine = (more: boolean, most: number): string =>
  more ? `\nThe first ${String(most)}; --limit shows more.` : '';

/** The page of a list, as an API call takes it. */
export const pageOf = (
  cursor: string | undefined,
  most: number,
): { readonly limit: number; readonly cursor?: string } => ({
  limit: Math.min(200, most + 1),
  ...(cursor === undefined ? {} : { cursor }),
});

/** A job by its name or its id. @throws Failure usage where there is none */
export async function findJob(api: ConcordClient, wanted: string): Promise<Schemas['JobView']> {
  const known: string[] = [];
  for await (const job of itemsOf((cursor) => api.GET('/jobs', { params: { query: pageOf(cursor, 199) } }))) {
    if (job.definition.name === wanted || job.id === wanted) return job;
    known.push(job.definition.name);
  }
  throw new Failure(exitCodes.failed, 'not_found', `There is no job ${wanted}.`, {
    remedy: known.length === 0 ? 'There is none yet: `concord apply FOLDER`.' : `There are: ${known.join(', ')}.`,
  });
}

/** A system by its name or its id. @throws Failure where there is none */
export async function findSystem(api: ConcordClient, wanted: string): Promise<Schemas['SystemView']> {
  const known: string[] = [];
  for await (const system of itemsOf((cursor) => api.GET('/systems', { params: { query: pageOf(cursor, 199) } }))) {
    if (system.name === wanted || system.id === wanted) return system;
    known.push(system.name);
  }
  throw new Failure(exitCodes.failed, 'not_found', `There is no system ${wanted}.`, {
    remedy: known.length === 0 ? 'There is none yet: `concord apply FOLDER`.' : `There are: ${known.join(', ')}.`,
  });
}

/** A mapping by its name, `system.entity`, or its id. @throws Failure where there is none */
export async function findMapping(api: ConcordClient, wanted: string): Promise<{ readonly id: string }> {
  for await (const mapping of itemsOf((cursor) => api.GET('/mappings', { params: { query: pageOf(cursor, 199) } })))
    if (mapping.name === wanted || mapping.id === wanted) return mapping;
  throw new Failure(exitCodes.failed, 'not_found', `There is no mapping ${wanted}.`);
}

type Inquiry = Schemas['InquiryView'];

/** The answer to what a system was asked, once a worker has it. Sound: the type is that of the kind that was asked.
 *  @throws Failure where the system did not answer as it should */
export async function answerOf<Answer>(call: Call, asked: Inquiry): Promise<Answer> {
  let inquiry = asked;
  for (let pauses = firstPause; inquiry.state === 'asked'; pauses = Math.min(longestPause, pauses * 1.3)) {
    call.progress.now('Waiting for a worker to ask the system …');
    await pause(pauses);
    const inquiryId = inquiry.id ?? '';
    inquiry = await dataOf(call.api().GET('/inquiries/{inquiryId}', { params: { path: { inquiryId } } }));
  }
  if (inquiry.failure === null) return inquiry.answer as Answer;
  const { code, detail, remedy } = inquiry.failure;
  throw new Failure(exitCodes.failed, code, detail, { remedy });
}

type Started = Schemas['StartedRunView'];
type Run = Schemas['RunView'];

const firstPause = 150;
const longestPause = 2_000;

/** The run that was begun, once a worker has opened it, and then over and over until it ends. */
export async function watchRun(call: Call, started: Started): Promise<Run> {
  const api = call.api();
  let runId = started.runId;
  let pauses = firstPause;
  let said = '';
  for (;;) {
    runId ??= await runOfWorkflow(api, started.workflowId);
    if (runId === null) call.progress.now('Waiting for a worker …');
    else {
      const run = await dataOf(api.GET('/runs/{runId}', { params: { path: { runId } } }));
      if (run.finishedAt !== null) return run;
      if (run.words.happened !== said) pauses = firstPause;
      said = run.words.happened;
      call.progress.now(`Run ${runId}: ${said}`);
    }
    await pause(pauses);
    pauses = Math.min(longestPause, pauses * 1.3);
  }
}

async function runOfWorkflow(api: ConcordClient, workflowId: string): Promise<string | null> {
  const { items } = await dataOf(api.GET('/runs', { params: { query: { workflowId } } }));
  return items[0]?.id ?? null;
}

/** What a script is told of a run that is over. A system that was left out counts for more than questions, which wait anyway. Records that
 *  were set aside are told with the run, and are no reason to act on it. */
export function exitCodeOfRun(run: Pick<Run, 'state' | 'openQuestions' | 'held' | 'heldBefore' | 'counts'>): ExitCode {
  if (run.state === 'skipped') return exitCodes.stale;
  if (!['completed', 'completed_with_questions'].includes(run.state)) return exitCodes.failed;
  const { unusable } = run.counts;
  if (Array.isArray(unusable) && unusable.length > 0) return exitCodes.partial;
  return run.openQuestions + run.held + run.heldBefore > 0 ? exitCodes.decision : exitCodes.ok;
}
