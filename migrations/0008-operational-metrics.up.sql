-- What operators measure: counters that only rise, kept as runs begin and end, so that looking at them costs nothing however many
-- runs there were; and a function that tells them together with what stands at the moment. Ids and numbers, never personal data.

-- ── counters ─────────────────────────────────────────────────────────────────────────────────────────────────────────
-- labels: ids and fixed words; names are put in where they are told. A counter never falls: rows are never deleted.
create table concord.run_metrics (
  institution_id integer not null references concord.institutions (id),
  metric text not null,
  labels jsonb not null,
  value double precision not null,
  primary key (institution_id, metric, labels)
);
alter table concord.run_metrics enable row level security;
create policy institution on concord.run_metrics
  using (institution_id = (select nullif(current_setting('concord.institution', true), '')::integer));
grant select, insert, update, delete on concord.run_metrics to concord_worker, concord_api;

-- Who began a run, as one of a few words.
create function concord.trigger_of(actor text) returns text
  language sql immutable set search_path = concord, pg_temp
  as $$ select case when split_part(actor, ':', 1) in ('schedule', 'review', 'secretary', 'steward', 'operator', 'auditor', 'admin')
    then split_part(actor, ':', 1) else 'other' end $$;

-- A rule's name, where it is a plain word; anything else would be free text in a label.
create function concord.plain_word(word text) returns text
  language sql immutable set search_path = concord, pg_temp
  as $$ select case when word ~ '^[A-Za-z0-9_.-]{1,100}$' then word else 'other' end $$;

-- What the end of a run adds to the counters.
create function concord.measures_of_run(run concord.sync_runs) returns table (metric text, labels jsonb, value double precision)
  language sql stable set search_path = concord, pg_temp
  as $$
  with facts as (
    select jsonb_build_object('job', coalesce(run.job_id, 0), 'kind', run.kind, 'outcome', run.state) as ended,
      extract(epoch from run.finished_at - run.started_at)::double precision as seconds
  )
  select 'job_duration_seconds_bucket', f.ended || jsonb_build_object('le', b.le), 1
  from facts f cross join unnest(array['1', '5', '15', '60', '300', '900', '3600', '14400', '+Inf']) as b (le)
  where b.le = '+Inf' or f.seconds <= b.le::double precision
  union all select 'job_duration_seconds_sum', f.ended, f.seconds from facts f
  union all select 'job_duration_seconds_count', f.ended, 1 from facts f
  union all select 'rollbacks_total', jsonb_build_object('outcome', run.state), 1 where run.kind = 'rollback'
  union all
  select 'records_total', jsonb_build_object('job', coalesce(run.job_id, 0), 'stage', c.stage, 'outcome', c.outcome), c.rows
  from (
    select s.stage, s.outcome, (run.counts #>> s.path)::double precision as rows
    from (values
      ('extract', 'extracted', array['rows', 'extracted']), ('extract', 'missing', array['rows', 'missing']),
      ('diff', 'unchanged', array['rows', 'unchanged']), ('guard', 'held', array['rows', 'held']),
      ('standardize', 'rejected', array['rows', 'rejected']), ('standardize', 'filtered', array['rows', 'filtered']),
      ('match', 'waiting', array['rows', 'waiting']),
      ('apply', 'new', array['rows', 'new']), ('apply', 'changed', array['rows', 'changed']),
      ('apply', 'no_effect', array['rows', 'no_effect']), ('apply', 'deleted', array['rows', 'deleted']),
      ('apply', 'golden_written', array['summary', 'goldenWrites']), ('publish', 'target_written', array['summary', 'targetWrites'])
    ) as s (stage, outcome, path)
  ) c where c.rows > 0
  union all
  select 'quality_failures_total', jsonb_build_object('rule', plain_word(coalesce(x.rule, x.reason)), 'severity', 'reject'), count(*)
  from rejected_records x where x.run_id = run.id and x.kind = 'rejected' group by 2
  $$;

-- Measures are added in one order, so that two runs that end at once wait for each other and never both.
create function concord.measure_run() returns trigger
  language plpgsql set search_path = concord, pg_temp
  as $$
  begin
    if tg_op = 'INSERT' then
      insert into run_metrics (institution_id, metric, labels, value)
      values (new.institution_id, 'jobs_started_total',
        jsonb_build_object('job', coalesce(new.job_id, 0), 'kind', new.kind, 'trigger', trigger_of(new.actor)), 1)
      on conflict (institution_id, metric, labels) do update set value = run_metrics.value + excluded.value;
    elsif old.finished_at is null and new.finished_at is not null then
      insert into run_metrics (institution_id, metric, labels, value)
      select new.institution_id, m.metric, m.labels, sum(m.value) from measures_of_run(new) m
      group by m.metric, m.labels order by m.metric, m.labels
      on conflict (institution_id, metric, labels) do update set value = run_metrics.value + excluded.value;
    end if;
    return null;
  end $$;
create trigger measure after insert or update of finished_at on concord.sync_runs
  for each row execute function concord.measure_run();

-- The runs that were there before.
insert into concord.run_metrics (institution_id, metric, labels, value)
select r.institution_id, 'jobs_started_total',
  jsonb_build_object('job', coalesce(r.job_id, 0), 'kind', r.kind, 'trigger', concord.trigger_of(r.actor)), count(*)
from concord.sync_runs r group by 1, 3;
insert into concord.run_metrics (institution_id, metric, labels, value)
select r.institution_id, m.metric, m.labels, sum(m.value)
from concord.sync_runs r cross join lateral concord.measures_of_run(r) m where r.finished_at is not null group by 1, 2, 3;

-- ── what is told ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- Over all institutions, and to the worker alone. Names stand in labels where they are plain words; else the id does.
create function concord.operational_metrics() returns table (metric text, labels jsonb, value double precision)
  language sql stable security definer set search_path = concord, pg_temp
  as $$
  with
  institution as (select i.id, case when i.code ~ '^[A-Za-z0-9_.-]{1,64}$' then i.code else i.id::text end as label from institutions i),
  job as (
    select j.id, case when j.name ~ '^[A-Za-z0-9_.-]{1,64}$' then j.name else j.id::text end as label, j.institution_id, j.definition, j.archived
    from synchronization_jobs j
  ),
  mapping as (
    select m.id, m.name, case when m.name ~ '^[A-Za-z0-9_.-]{1,100}$' then m.name else m.id::text end as label, m.institution_id
    from cross_system_mappings m
  ),
  good as (
    select j.id as job_id, j.institution_id, r.id as run_id, r.started_at, r.finished_at
    from job j cross join lateral (
      select s.id, s.started_at, s.finished_at from sync_runs s
      where s.institution_id = j.institution_id and s.job_id = j.id and s.kind = 'sync' and s.finished_at is not null
        and s.state in ('completed', 'completed_with_questions')
      order by s.id desc limit 1) r
    where not j.archived
  )
  select c.metric, jsonb_build_object('institution', i.label)
      || case when c.labels ? 'job' then c.labels || jsonb_build_object('job', coalesce(j.label, 'none')) else c.labels end, c.value
  from run_metrics c join institution i on i.id = c.institution_id left join job j on j.id = (c.labels ->> 'job')::integer
  union all
  select 'job_last_success_timestamp_seconds', jsonb_build_object('institution', i.label, 'job', j.label), extract(epoch from g.finished_at)
  from good g join job j on j.id = g.job_id join institution i on i.id = g.institution_id
  union all
  select 'source_lag_seconds', jsonb_build_object('institution', i.label, 'source', m.label), extract(epoch from clock_timestamp() - max(g.started_at))
  from good g join job j on j.id = g.job_id join institution i on i.id = g.institution_id
    cross join lateral jsonb_array_elements_text(j.definition -> 'sources') as s (name)
    join mapping m on m.institution_id = g.institution_id and m.name = s.name
  where not exists (select from findings f where f.run_id = g.run_id and f.mapping_id = m.id and f.kind ~ '^(source|delivery)_')
  group by i.label, m.label
  union all
  select 'runs_active', jsonb_build_object('institution', i.label, 'kind', r.kind), count(*)
  from sync_runs r join institution i on i.id = r.institution_id where r.finished_at is null group by i.label, r.kind
  union all
  select 'run_oldest_active_seconds', jsonb_build_object('institution', i.label), extract(epoch from clock_timestamp() - min(r.started_at))
  from sync_runs r join institution i on i.id = r.institution_id where r.finished_at is null group by i.label
  union all
  select q.metric, jsonb_build_object('institution', i.label, 'type', q.kind), q.value from (
    select c.institution_id, c.kind, unnest(array['conflicts_pending', 'conflicts_overdue', 'conflict_oldest_age_seconds']) as metric,
      unnest(array[count(*)::double precision, count(*) filter (where c.due_at < clock_timestamp())::double precision,
        extract(epoch from clock_timestamp() - min(c.created_at))::double precision]) as value
    from sync_conflict_resolutions c where c.state = 'open' group by c.institution_id, c.kind) q
    join institution i on i.id = q.institution_id
  union all
  select 'held_changes', jsonb_build_object('institution', i.label, 'source', coalesce(m.label, 'several'), 'cause', h.cause), count(*)
  from held_changes h join institution i on i.id = h.institution_id left join mapping m on m.id = h.mapping_id
  where h.state = 'held' group by i.label, m.label, h.cause
  union all
  select 'target_runs_pending', jsonb_build_object('institution', i.label, 'target', m.label), count(*)
  from target_pending t join institution i on i.id = t.institution_id join mapping m on m.id = t.mapping_id group by i.label, m.label
  union all
  select b.metric, jsonb_build_object('institution', i.label), b.value from (
    select d.institution_id, unnest(array['decision_batches_pending', 'decision_batch_oldest_age_seconds']) as metric,
      unnest(array[count(*)::double precision, extract(epoch from clock_timestamp() - min(d.created_at))::double precision]) as value
    from decision_batches d where d.state = 'pending' group by d.institution_id) b
    join institution i on i.id = b.institution_id
  union all
  select 'outbox_pending', '{}', count(*) from outbox o where o.delivered_at is null
  union all
  select 'outbox_oldest_age_seconds', '{}', coalesce(extract(epoch from clock_timestamp() - min(o.created_at)), 0) from outbox o where o.delivered_at is null
  union all
  select 'database_size_bytes', '{}', pg_database_size(current_database())
  $$;
revoke all on function concord.operational_metrics() from public;
grant execute on function concord.operational_metrics() to concord_worker;
create index sync_runs_active on concord.sync_runs (institution_id) where finished_at is null;

-- ── whether a process fits the schema ────────────────────────────────────────────────────────────────────────────────
-- A newer schema than a process knows is no hindrance while versions change over; an older one is.
create function concord.migration_applied(wanted text) returns boolean
  language sql stable security definer set search_path = concord, pg_temp
  as $$ select exists (select from public.concord_migrations m where m.name = wanted) $$;
revoke all on function concord.migration_applied(text) from public;
grant execute on function concord.migration_applied(text) to concord_worker, concord_api;
revoke all on function concord.trigger_of(text), concord.plain_word(text), concord.measures_of_run(concord.sync_runs), concord.measure_run()
  from public;
grant execute on function concord.trigger_of(text), concord.plain_word(text), concord.measures_of_run(concord.sync_runs), concord.measure_run()
  to concord_worker, concord_api;
