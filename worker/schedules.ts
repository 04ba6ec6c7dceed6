import { ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import type { CalendarSpec, Client, ScheduleDescription, ScheduleOptions, ScheduleSpec } from '@temporalio/client';
import type { Hub } from '../database/hub.js';
import { SyncError } from '../domain/errors.js';
import type { JobDefinition } from '../domain/job-definition.js';
import { taskQueues } from '../domain/run.js';
import type { Log } from '../platform/log.js';
import { pageOf, scheduleIds, scheduledKey, searchAttributesOf, summaries } from '../workflows/messages.js';
import { withSearchAttributes, workflowIds, workflowTypes } from '../workflows/messages.js';
import type { DueRunInput, SyncRunInput } from '../workflows/messages.js';
import { timeZoneOf } from './start-workflows.js';
import type { Starting } from './start-workflows.js';

type JobSchedule = NonNullable<JobDefinition['schedule']>;
type Freeze = NonNullable<JobSchedule['freeze']>[number];

interface ScheduledJob {
  readonly id: number;
  readonly definition: JobDefinition;
  /** Why it does not run for now; null: it does. */
  readonly paused: string | null;
}

export interface SchedulesOptions extends Starting {
  readonly log: Log;
}

/** Makes the schedules of an institution what its jobs say: creates, changes and deletes. One that somebody paused in Temporal
 *  stays paused; one that was paused as a job is, until the job is resumed. Doing it again changes nothing. */
export async function reconcileSchedules(options: SchedulesOptions, institutionId: number): Promise<void> {
  const { client, hub, scope, log } = options;
  const timeZone = await timeZoneOf(hub, institutionId);
  const jobs = await jobsOf(hub, institutionId);
  const wanted = new Map<string, WantedSchedule>();
  for (const job of jobs) {
    const { schedule } = job.definition;
    if (schedule === undefined) continue;
    const id = scheduleIds.job(institutionId, job.id, scope);
    const told = { ...jobSchedule({ institutionId, job, schedule, timeZone }, options), scheduleId: id };
    wanted.set(id, { options: told, paused: job.paused });
  }
  const dueId = scheduleIds.due(institutionId, scope);
  const due = { ...dueSchedule({ institutionId, timeZone }, options), scheduleId: dueId };
  wanted.set(dueId, { options: due, paused: null });
  for (const schedule of wanted.values()) await put(client, schedule);
  for (const job of jobs) {
    const id = scheduleIds.job(institutionId, job.id, scope);
    if (!wanted.has(id)) await remove(client, id);
  }
  log.info({ institutionId, schedules: wanted.size }, 'schedules are as configured');
}

interface WantedSchedule {
  readonly options: ScheduleOptions;
  readonly paused: string | null;
}

/* Begins the note of a schedule that is paused because its job is; any other note is somebody else's. */
const pausedNote = 'The job is paused: ';

/** The schedule of a job, as Temporal is told of it. Its runs have fixed arguments: the nominal time stands in their ids, and
 *  is read from there by the run.
 *  @throws SyncError configuration_invalid */
export function jobSchedule(
  of: {
    readonly institutionId: number;
    readonly job: Pick<ScheduledJob, 'id' | 'definition'>;
    readonly schedule: JobSchedule;
    readonly timeZone: string;
  },
  { scope, pace, publicUrl = null }: Pick<Starting, 'scope' | 'pace' | 'publicUrl'>,
): Omit<ScheduleOptions, 'scheduleId'> {
  const { institutionId, job, schedule } = of;
  const { onFailure, partitions } = job.definition;
  const input: SyncRunInput = {
    ...{ institutionId, jobId: job.id, actor: 'schedule', asOf: null, timeZone: of.timeZone },
    ...(onFailure === undefined ? {} : { onFailure }),
    ...(partitions === undefined ? {} : { partitions }),
    ...(pace === undefined ? {} : { pace }),
  };
  return {
    spec: specOf(schedule),
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: `${schedule.catchUpHours ?? 24} hours` },
    action: {
      type: 'startWorkflow',
      workflowType: workflowTypes.syncRun,
      workflowId: workflowIds.syncRun(job.id, scheduledKey, scope),
      taskQueue: taskQueues.io + scope,
      staticSummary: summaries.syncRun(job.definition.name),
      ...pageOf(publicUrl, `job=${job.id}`),
      args: [input],
    },
  };
}

/* Shortly after midnight, where the institution is. */
function dueSchedule(
  { institutionId, timeZone }: { readonly institutionId: number; readonly timeZone: string },
  { scope, pace, publicUrl = null }: Pick<Starting, 'scope' | 'pace' | 'publicUrl'>,
): Omit<ScheduleOptions, 'scheduleId'> {
  const input: DueRunInput = {
    ...{ institutionId, actor: 'schedule', asOf: null, timeZone },
    ...(pace === undefined ? {} : { pace }),
  };
  return {
    spec: { calendars: [{ hour: 0, minute: 10 }], timezone: timeZone },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '24 hours' },
    action: {
      type: 'startWorkflow',
      workflowType: workflowTypes.dueRun,
      workflowId: workflowIds.dueRun(institutionId, scheduledKey, scope),
      taskQueue: taskQueues.io + scope,
      staticSummary: summaries.dueRun(institutionId),
      ...pageOf(publicUrl, 'kind=due'),
      args: [input],
    },
  };
}

/** When a job runs. @throws SyncError configuration_invalid */
export function specOf(schedule: JobSchedule): ScheduleSpec {
  const { calendar, everyMinutes, freeze } = schedule;
  return {
    timezone: schedule.timeZone,
    ...(calendar === undefined
      ? {}
      : {
          calendars: [
            {
              ...{ hour: calendar.hour, minute: calendar.minute },
              ...(calendar.daysOfWeek === undefined ? {} : { dayOfWeek: calendar.daysOfWeek.map(dayOfWeek) }),
            },
          ],
        }),
    ...(everyMinutes === undefined ? {} : { intervals: [{ every: `${everyMinutes} minutes` }] }),
    ...(schedule.jitterSeconds === undefined ? {} : { jitter: `${schedule.jitterSeconds} s` }),
    ...(freeze === undefined ? {} : { skip: freeze.flatMap(frozenDays) }),
  };
}

const days = ['SUNDAY', 'MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY'] as const;
const months = [
  ...(['JANUARY', 'FEBRUARY', 'MARCH', 'APRIL', 'MAY', 'JUNE'] as const),
  ...(['JULY', 'AUGUST', 'SEPTEMBER', 'OCTOBER', 'NOVEMBER', 'DECEMBER'] as const),
];

/* In full or by its first three letters. */
function dayOfWeek(name: string): (typeof days)[number] {
  const day = name.length < 3 ? undefined : days.find((known) => known.startsWith(name.toUpperCase()));
  if (day === undefined) throw new SyncError('configuration_invalid', `There is no day of the week ${name}.`);
  return day;
}

/* A window of dates, both included, as calendars: one for each month that it touches. */
function frozenDays({ from, to, reason }: Freeze): CalendarSpec[] {
  const [first, last] = [dateParts(from), dateParts(to)];
  const calendars: CalendarSpec[] = [];
  for (let month = first.year * 12 + first.month; month <= last.year * 12 + last.month; month += 1) {
    const [year, index] = [Math.floor(month / 12), month % 12];
    const start = year === first.year && index === first.month ? first.day : 1;
    const end = year === last.year && index === last.month ? last.day : 31;
    const name = months[index];
    if (name === undefined) continue;
    calendars.push({
      ...{ year, month: name, dayOfMonth: { start, end } },
      ...{ hour: '*', minute: '*', second: '*', comment: reason },
    });
  }
  return calendars;
}

function dateParts(date: string): { readonly year: number; readonly month: number; readonly day: number } {
  const parts = /^(\d{4})-(\d{2})-(\d{2})/.exec(date);
  if (parts === null) throw new SyncError('configuration_invalid', `${date} is no date of a freeze window.`);
  return { year: Number(parts[1]), month: Number(parts[2]) - 1, day: Number(parts[3]) };
}

async function put(client: Client, { options: schedule, paused }: WantedSchedule): Promise<void> {
  const [input] = (schedule.action.args ?? []) as [{ institutionId: number; jobId?: number }];
  const kind = schedule.action.workflowType === workflowTypes.dueRun ? 'due' : 'sync';
  const attributes = searchAttributesOf({ institutionId: input.institutionId, jobId: input.jobId ?? null, kind });
  await withSearchAttributes(attributes, async (searchable) => {
    const state = paused === null ? {} : { state: { paused: true, note: pausedNote + paused } };
    const complete = { ...schedule, ...state, action: { ...schedule.action, ...searchable } };
    try {
      await client.schedule.create(complete);
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      const { spec, policies, action } = complete;
      await client.schedule.getHandle(schedule.scheduleId).update(({ state: now }) => ({
        ...{ spec, action, state: stateOf(now, paused) },
        ...(policies === undefined ? {} : { policies }),
      }));
    }
  });
}

type ScheduleState = ScheduleDescription['state'];

function stateOf(now: ScheduleState, paused: string | null): ScheduleState {
  if (paused !== null) return { ...now, paused: true, note: pausedNote + paused };
  return now.paused && now.note?.startsWith(pausedNote) === true ? { ...now, paused: false, note: '' } : now;
}

async function remove(client: Client, scheduleId: string): Promise<void> {
  try {
    await client.schedule.getHandle(scheduleId).delete();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'ScheduleNotFoundError') throw error;
  }
}

/* Archived ones too: their schedules go. */
async function jobsOf(hub: Hub, institutionId: number): Promise<readonly ScheduledJob[]> {
  return await hub.read(institutionId, async (client) => {
    const answer = await client.query<ScheduledJob & { archived: boolean }>(
      'select id, definition, archived, paused_reason as paused from synchronization_jobs order by id',
    );
    return answer.rows.map(({ id, definition, archived, paused }) => ({
      ...{ id, paused },
      definition: archived ? withoutSchedule(definition) : definition,
    }));
  });
}

function withoutSchedule({ schedule: _schedule, ...definition }: JobDefinition): JobDefinition {
  return definition;
}
