import type { PoolClient } from 'pg';

/** Where the relay of the workers listens. It also looks at the outbox now and then: a lost notice delays, no more. */
const channel = 'concord_outbox';

/** Leaves word for the workers, in the transaction of what it is about: both or neither.
 *  `review`: decisions of a job wait (its id). `schedules`: the schedules of the institution changed (its id). `upload`: files of a
 *  system were received whole (the id of the upload). `due`: targets are to be told at once (what for: each word starts one run). */
export const leaveWord = async (
  client: PoolClient,
  institutionId: number,
  topic: 'review' | 'schedules' | 'upload' | 'due',
  subject: number | string,
): Promise<void> => {
  await client.query('insert into concord.outbox (institution_id, topic, subject) values ($1, $2, $3)', [
    institutionId,
    topic,
    String(subject),
  ]);
  await client.query('select pg_notify($1, $2)', [channel, '']);
};
