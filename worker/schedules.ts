import { ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import type { CalendarSpec, Client, ScheduleOptions, ScheduleSpec } from '@temporalio/client';
import type { Hub } from '../database/hub.js';
import { SyncError } from '../domain/errors.js';
import type { JobDefinition } from '../domain/job-definition.js';
import { taskQueues } from '../domain/run.js';
import type { Log } from '../platform/log.js';
import { scheduleIds, scheduledKey, searchAttributesOf, summaries } from '../workflows/messages.js';
import { withSearchAttributes, workflowIds, workflowTypes } from '../workflows/messages.js';
import type { DueRunInput, SyncRunInput } from '../workflows/messages.js';
import { timeZoneOf } from './start-workflows.js';
import type { Starting } from './start-workflows.js';

type JobSchedule = NonNullable<JobDefinition['schedule']>;
type Freeze = NonNullable<JobSchedule['freeze']>[number];

interface ScheduledJob {
  readonly id: number;
  readonly definition: JobDefinition;
}

export interface SchedulesOptions extends Starting {
  readonly log: Log;
}

/** Makes the schedules of an institution what its jobs say: creates, changes and deletes. A schedule that somebody paused stays
 *  paused. Doing it again changes nothing. */
export async function reconcileSchedules(options: SchedulesOptions, institutionId: number): Promise<void> {
  const { client, hub, scope, log } = options;
  const timeZone = await timeZoneOf(hub, institutionId);
  const jobs = await jobsOf(hub, institutionId);
  const wanted = new Map<string, ScheduleOptions>();
  for (const job of jobs) {
    const { schedule } = job.definition;
    if (schedule === undefined) continue;
    const id = scheduleIds.job(institutionId, job.id, scope);
    wanted.set(id, { ...jobSchedule({ institutionId, job, schedule, timeZone }, options), scheduleId: id });
  }
  const dueId = scheduleIds.due(institutionId, scope);
  wanted.set(dueId, { ...dueSchedule({ institutionId, timeZone }, options), scheduleId: dueId });
  for (const schedule of wanted.values()) await put(client, schedule);
  for (const job of jobs) {
    const id = scheduleIds.job(institutionId, job.id, scope);
    if (!wanted.has(id)) await remove(client, id);
  }
  log.info({ institutionId, schedules: wanted.size }, 'schedules are as configured');
}

/** The schedule of a job, as Temporal is told of it. Its runs have fixed arguments: the nominal time stands in their ids, and
 *  is read from there by the run.
 *  @throws SyncError configuration_invalid */
export function jobSchedule(
  of: {
    readonly institutionId: number;
    readonly job: ScheduledJob;
    readonly schedule: JobSchedule;
    readonly timeZone: string;
  },
  { scope, pace }: Pick<Starting, 'scope' | 'pace'>,
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
      args: [input],
    },
  };
}

/* Shortly after midnight, where the institution is. */
function dueSchedule(
  { institutionId, timeZone }: { readonly institutionId: number; readonly timeZone: string },
  { scope, pace }: Pick<Starting, 'scope' | 'pace'>,
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

async function put(client: Client, schedule: ScheduleOptions): Promise<void> {
  const [input] = (schedule.action.args ?? []) as [{ institutionId: number; jobId?: number }];
  const kind = schedule.action.workflowType === workflowTypes.dueRun ? 'due' : 'sync';
  const attributes = searchAttributesOf({ institutionId: input.institutionId, jobId: input.jobId ?? null, kind });
  await withSearchAttributes(attributes, async (searchable) => {
    const complete = { ...schedule, action: { ...schedule.action, ...searchable } };
    try {
      await client.schedule.create(complete);
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      const { spec, policies, action } = complete;
      await client.schedule
        .getHandle(schedule.scheduleId)
        .update(({ state }) => ({ spec, action, state, ...(policies === undefined ? {} : { policies }) }));
    }
  });
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
      'select id, definition, archived from synchronization_jobs order by id',
    );
    return answer.rows.map(({ id, definition, archived }) => ({
      id,
      definition: archived ? withoutSchedule(definition) : definition,
    }));
  });
}

function withoutSchedule({ schedule: _schedule, ...definition }: JobDefinition): JobDefinition {
  return definition;
}
