-- Watching runs, mending what they set aside, taking decisions back, deliveries over HTTP, and events for those who watch.

-- ── how far a run is, and who stopped it ─────────────────────────────────────────────────────────────────────────────
alter table concord.run_chunks add column recorded_at timestamptz;
alter table concord.run_chunks alter column recorded_at set default clock_timestamp();
alter table concord.run_leases add column taken_at timestamptz;
alter table concord.run_leases alter column taken_at set default clock_timestamp();
alter table concord.sync_runs
  add column cancelled_by text,
  add column cancelled_at timestamptz,
  add column cancel_reason text;
-- What a run made is found by the blocks that it filled: an index of rows would cost every first load.
create index golden_records_created on concord.golden_records using brin (created_run);
create index record_images_created on concord.record_images using brin (created_run);

-- ── records set aside: corrected, and replayed alone ─────────────────────────────────────────────────────────────────
-- corrected: the whole row, in the order of the mapping's columns; corrected_key: its key. settle_run_id: the run that replayed
-- it last. replaying: in a batch that waits or is at work.
alter table concord.rejected_records
  add column version integer not null default 1,
  add column corrected_key text collate "C",
  add column corrected_by text,
  add column corrected_at timestamptz,
  add column correction_reason text,
  add column batch_id bigint,
  add column settle_run_id bigint,
  drop constraint rejected_records_state_check,
  add constraint rejected_records_state_check check (state in ('open', 'replaying', 'resolved'));
create index rejected_records_key on concord.rejected_records (institution_id, source_key);
create index rejected_records_batch on concord.rejected_records (batch_id) where batch_id is not null;
create index rejected_records_settled on concord.rejected_records (settle_run_id) where settle_run_id is not null;
create index rejected_records_corrected on concord.rejected_records (mapping_id, source_key) where corrected is not null;

alter table concord.decision_batches
  drop constraint decision_batches_kind_check,
  add constraint decision_batches_kind_check check (kind in ('decision', 'release', 'discard', 'override', 'replay')),
  drop constraint decision_batches_state_check,
  add constraint decision_batches_state_check check (state in ('pending', 'applied', 'failed', 'withdrawn'));

-- ── deliveries over HTTP ─────────────────────────────────────────────────────────────────────────────────────────────
-- files: [{entity, name, sha256, bytes}] as they were listed.
alter table concord.deliveries add column files jsonb not null default '[]';

-- digest: of the delivery as the connector will see it. manifest: the text of the file that will lie beside the others.
create table concord.uploads (
  id bigint generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  system_id integer not null references concord.data_source_configurations (id),
  digest text not null,
  files jsonb not null,
  manifest text,
  state text not null default 'open' check (state in ('open', 'received', 'placed', 'refused')),
  error_code text,
  reason text,
  actor text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index uploads_one_of_a_digest on concord.uploads (system_id, digest) where state <> 'refused';

create table concord.webhook_receipts (
  system_id integer not null references concord.data_source_configurations (id),
  webhook_id text not null,
  institution_id integer not null references concord.institutions (id),
  received_at timestamptz not null default now(),
  primary key (system_id, webhook_id)
);

-- ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────────
-- Ids and counts, never personal data. Written in the transaction of what they tell. position: given at commit, one transaction
-- of an institution after the other, so that a greater one was committed later and nobody reads past one that is still to come.
create sequence concord.event_positions as bigint;
create table concord.events (
  id bigint generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  position bigint,
  topic text not null check (topic in ('run', 'progress', 'inbox', 'held', 'job', 'delivery')),
  type text not null,
  run_id bigint,
  job_id integer,
  data jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp()
);
create unique index events_position on concord.events (institution_id, position);
create index events_created on concord.events (created_at);

-- caller: whom the ticket lets in, as the API knows them. Good once.
create table concord.event_tickets (
  secret_hash text primary key,
  institution_id integer not null references concord.institutions (id),
  caller jsonb not null,
  expires_at timestamptz not null
);

-- The lock is held from here to the end of the commit, and a look after it sees what was committed before it.
create function concord.number_event() returns trigger
  language plpgsql security definer set search_path = concord, pg_temp
  as $$
  begin
    perform pg_advisory_xact_lock(2147480006, new.institution_id);
    update events set position = nextval('event_positions'), data = data || case new.topic
        when 'inbox' then jsonb_build_object('open', (select count(*) from (
          select from sync_conflict_resolutions q where q.institution_id = new.institution_id and q.state = 'open' limit 10000) q))
        when 'held' then jsonb_build_object('held', (select count(*) from (
          select from held_changes h where h.institution_id = new.institution_id and h.state = 'held' limit 10000) h))
        else '{}' end
      where id = new.id;
    perform pg_notify('concord_events', new.institution_id::text);
    return null;
  end $$;
create constraint trigger number_at_commit after insert on concord.events deferrable initially deferred
  for each row execute function concord.number_event();

create function concord.tell_run() returns trigger
  language plpgsql set search_path = concord, pg_temp
  as $$
  declare happened text;
  begin
    happened := case
      when tg_op = 'INSERT' then 'concord.job.started'
      when old.rolled_back_by is null and new.rolled_back_by is not null then 'concord.job.rolled_back'
      when old.rolled_back_by is not null and new.rolled_back_by is null then 'concord.job.reinstated'
      when old.finished_at is null and new.finished_at is not null then case
        when new.state in ('failed', 'cancelled', 'rolled_back') then 'concord.job.' || new.state else 'concord.job.completed' end
      when old.state <> new.state then 'concord.job.progressed' end;
    if happened is null then
      return null;
    end if;
    insert into events (institution_id, topic, type, run_id, job_id, data)
    values (new.institution_id, case happened when 'concord.job.progressed' then 'progress' else 'run' end, happened, new.id, new.job_id,
      jsonb_strip_nulls(jsonb_build_object('kind', new.kind, 'state', new.state, 'parentRunId', new.parent_run_id::text,
        'errorCode', new.error_code, 'rolledBackBy', new.rolled_back_by::text, 'summary', new.counts -> 'summary')));
    return null;
  end $$;
create trigger tell after insert or update of state, finished_at, rolled_back_by on concord.sync_runs
  for each row execute function concord.tell_run();

create function concord.tell_chunk() returns trigger
  language plpgsql set search_path = concord, pg_temp
  as $$
  begin
    insert into events (institution_id, topic, type, run_id, job_id, data)
    select new.institution_id, 'progress', 'concord.job.progressed', r.id, r.job_id,
      jsonb_build_object('kind', r.kind, 'state', r.state, 'step', new.step, 'part', new.part, 'chunk', new.chunk)
    from sync_runs r where r.id = new.run_id;
    return null;
  end $$;
create trigger tell after insert or update on concord.run_chunks
  for each row when (new.state = 'done' and new.step not in ('plan', 'dispositions')) execute function concord.tell_chunk();

create function concord.tell_opened_questions() returns trigger
  language plpgsql set search_path = concord, pg_temp
  as $$
  begin
    insert into events (institution_id, topic, type, run_id, job_id, data)
    select n.institution_id, 'inbox', 'concord.conflict.opened', n.opened_run, n.job_id,
      jsonb_build_object('count', count(*), 'ids', to_jsonb((array_agg(n.id::text order by n.id))[1:20]))
    from made n where n.state = 'open' group by n.institution_id, n.opened_run, n.job_id;
    return null;
  end $$;
create trigger tell_opened after insert on concord.sync_conflict_resolutions
  referencing new table as made for each statement execute function concord.tell_opened_questions();

create function concord.tell_changed_questions() returns trigger
  language plpgsql set search_path = concord, pg_temp
  as $$
  begin
    insert into events (institution_id, topic, type, run_id, job_id, data)
    select c.institution_id, 'inbox', 'concord.conflict.' || c.happened, c.changed_run, c.job_id,
      jsonb_build_object('count', count(*), 'ids', to_jsonb((array_agg(c.id::text order by c.id))[1:20]))
    from (
      select a.id, a.institution_id, a.changed_run, a.job_id, case
          when b.state = 'open' and a.state = 'open' then
            case when b.version <> a.version then 'changed' when b.assignee is distinct from a.assignee then 'assigned' end
          when a.state = 'open' then 'reopened'
          when b.state = a.state then null
          else a.state end as happened
      from was b join became a on a.id = b.id) c
    where c.happened is not null group by c.institution_id, c.happened, c.changed_run, c.job_id;
    return null;
  end $$;
create trigger tell_changed after update on concord.sync_conflict_resolutions
  referencing old table as was new table as became for each statement execute function concord.tell_changed_questions();

create function concord.tell_held() returns trigger
  language plpgsql set search_path = concord, pg_temp
  as $$
  begin
    if tg_op = 'UPDATE' and old.state = new.state and old.version = new.version then
      return null;
    end if;
    insert into events (institution_id, topic, type, run_id, job_id, data)
    values (new.institution_id, 'held', 'concord.change.' || case
        when tg_op = 'UPDATE' and old.state = new.state then 'changed' else new.state end, new.run_id, new.job_id,
      jsonb_build_object('heldChangeId', new.id::text, 'cause', new.cause, 'operation', new.operation, 'rows', new.row_count));
    return null;
  end $$;
create trigger tell after insert or update on concord.held_changes for each row execute function concord.tell_held();

create function concord.tell_job() returns trigger
  language plpgsql set search_path = concord, pg_temp
  as $$
  begin
    insert into events (institution_id, topic, type, job_id, data)
    values (new.institution_id, 'job', 'concord.job.updated', new.id,
      jsonb_build_object('version', new.version, 'archived', new.archived, 'paused', new.paused_at is not null));
    return null;
  end $$;
create trigger tell after insert or update on concord.synchronization_jobs for each row execute function concord.tell_job();

create function concord.tell_delivery() returns trigger
  language plpgsql set search_path = concord, pg_temp
  as $$
  begin
    if tg_op = 'UPDATE' and old.state = new.state then
      return null;
    end if;
    insert into events (institution_id, topic, type, run_id, data)
    values (new.institution_id, 'delivery', 'concord.delivery.' || new.state, new.run_id,
      jsonb_strip_nulls(jsonb_build_object('deliveryId', new.id::text, 'systemId', new.system_id::text, 'errorCode', new.error_code)));
    return null;
  end $$;
create trigger tell after insert or update on concord.deliveries for each row execute function concord.tell_delivery();

create function concord.tell_upload() returns trigger
  language plpgsql set search_path = concord, pg_temp
  as $$
  begin
    if old.state = new.state then
      return null;
    end if;
    insert into events (institution_id, topic, type, data)
    values (new.institution_id, 'delivery', 'concord.upload.' || new.state,
      jsonb_strip_nulls(jsonb_build_object('uploadId', new.id::text, 'systemId', new.system_id::text, 'errorCode', new.error_code)));
    return null;
  end $$;
create trigger tell after update on concord.uploads for each row execute function concord.tell_upload();

-- ── who sees what ────────────────────────────────────────────────────────────────────────────────────────────────────
do $$
declare t text;
begin
  foreach t in array array['uploads', 'webhook_receipts', 'events', 'event_tickets'] loop
    execute format('alter table concord.%I enable row level security', t);
    execute format(
      'create policy institution on concord.%I using (institution_id = (select nullif(current_setting(''concord.institution'', true), '''')::integer))', t);
    execute format('grant select, insert, update, delete on concord.%I to concord_worker, concord_api', t);
  end loop;
end $$;

-- Whoever holds the ticket, once; null: it is unknown, used or too old.
create function concord.redeem_ticket(wanted text, at timestamptz) returns jsonb
  language plpgsql volatile security definer set search_path = concord, pg_temp
  as $$
  declare found_caller jsonb;
  begin
    delete from event_tickets where secret_hash = wanted returning case when expires_at > at then caller end into found_caller;
    return found_caller;
  end $$;
create function concord.institution_of_system(wanted integer) returns integer
  language sql stable security definer set search_path = concord, pg_temp
  as $$ select institution_id from concord.data_source_configurations where id = wanted and not archived $$;
-- Leaves word for the jobs that read a system: there is something new. `told_by` becomes the actor of their runs.
create function concord.wake_jobs_of_system(wanted integer, told_by text) returns integer
  language plpgsql volatile set search_path = concord, pg_temp
  as $$
  declare woken integer;
  begin
    insert into outbox (institution_id, topic, subject)
    select j.institution_id, 'job', j.id || ' ' || told_by from synchronization_jobs j
    where not j.archived and exists (
      select from cross_system_mappings m where m.system_id = wanted and not m.archived and j.definition -> 'sources' ? m.name)
    order by j.id;
    get diagnostics woken = row_count;
    perform pg_notify('concord_outbox', '');
    return woken;
  end $$;
-- What nobody asks for any more: events after a day, tickets, receipts and stored replies after theirs.
create function concord.forget_passed() returns void
  language sql volatile security definer set search_path = concord, pg_temp
  as $$
    delete from concord.events where created_at < now() - interval '1 day';
    delete from concord.event_tickets where expires_at < now() - interval '1 hour';
    delete from concord.webhook_receipts where received_at < now() - interval '1 day';
    delete from concord.idempotency_keys where created_at < now() - interval '2 days';
  $$;

grant usage on all sequences in schema concord to concord_worker, concord_api;
revoke all on all functions in schema concord from public;
grant execute on function concord.redeem_ticket(text, timestamptz), concord.institution_of_system(integer), concord.forget_passed(),
  concord.wake_jobs_of_system(integer, text)
  to concord_worker, concord_api;
