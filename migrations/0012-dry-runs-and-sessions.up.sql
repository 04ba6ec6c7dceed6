-- Dry runs: a run that is carried out over a copy of the stores and changes none of them. What stays of it is its own row, its
-- chunks, and samples of what it would change.

alter table concord.sync_runs drop constraint sync_runs_kind_check;
alter table concord.sync_runs add constraint sync_runs_kind_check
  check (kind in ('sync', 'decision', 'release', 'rollback', 'due', 'remap', 'dry_run'));

-- What it would do is not counted among what was done.
drop trigger measure on concord.sync_runs;
create trigger measure after insert or update of finished_at on concord.sync_runs
  for each row when (new.kind <> 'dry_run') execute function concord.measure_run();

-- Some of the changes that a dry run plans, before and after, as `change_set_entries` would hold them. Records that it would make
-- have an id of its copy, which is nobody's; `golden_id` is null for them.
create table concord.run_samples (
  run_id bigint not null references concord.sync_runs (id) on delete cascade,
  kind text not null check (kind in ('golden', 'target')),
  mapping_id integer not null,
  row_id bigint not null,
  institution_id integer not null references concord.institutions (id),
  entity_type_id integer not null references concord.entity_types (id),
  golden_id bigint,
  operation text not null check (operation in ('insert', 'update', 'delete')),
  outcome text not null,
  before jsonb,
  after jsonb,
  subject_key bigint,
  primary key (run_id, kind, mapping_id, row_id)
);
create index run_samples_subject on concord.run_samples (subject_key) where subject_key is not null;
alter table concord.run_samples enable row level security;
create policy institution on concord.run_samples
  using (institution_id = (select nullif(current_setting('concord.institution', true), '')::integer));
create policy shown on concord.run_samples as restrictive for all to concord_api
  using ((select concord.shows_all())
    or exists (select from concord.golden_records g where g.id = run_samples.golden_id));
grant select, insert, update, delete on concord.run_samples to concord_worker, concord_api;

-- The schema in which a dry run keeps its copy: the worker's own, without a grant to anybody else.
create function concord.open_dry_run(wanted bigint) returns text
  language plpgsql security definer set search_path = concord, pg_temp
  as $$
  declare name text := 'dry_run_' || wanted;
  begin
    if not exists (select from concord.sync_runs r where r.id = wanted and r.kind = 'dry_run' and r.finished_at is null
        and r.institution_id = nullif(current_setting('concord.institution', true), '')::integer) then
      raise exception 'run % is no dry run that is at work', wanted;
    end if;
    execute format('drop schema if exists %I cascade', name);
    execute format('create schema %I authorization concord_worker', name);
    return name;
  end $$;
revoke all on function concord.open_dry_run(bigint) from public;
grant execute on function concord.open_dry_run(bigint) to concord_worker;

-- Samples of a dry run are worth something for as long as its plan is looked at; they may tell of people of whom we know nothing else.
create or replace function concord.forget_passed() returns void
  language sql volatile security definer set search_path = concord, pg_temp
  as $$
    delete from concord.events where created_at < now() - interval '1 day';
    delete from concord.event_tickets where expires_at < now() - interval '1 hour';
    delete from concord.webhook_receipts where received_at < now() - interval '1 day';
    delete from concord.idempotency_keys where created_at < now() - interval '2 days';
    delete from concord.run_samples s using concord.sync_runs r where r.id = s.run_id and r.started_at < now() - interval '7 days';
  $$;

-- When the provider last vouched for what a session may be, and what it is asked with again: its refresh token, encrypted with a key
-- that only the browser's own token gives. Null: it gave none.
alter table concord.sessions add column vouched_at timestamptz, add column renewal text;
update concord.sessions set vouched_at = created_at;
alter table concord.sessions alter column vouched_at set not null;

-- ── what every request asks ──────────────────────────────────────────────────────────────────────────────────────────
-- Whose key it is, in one statement of its own.
create function concord.holder_of_key(wanted text)
  returns table (id integer, institution_id integer, secret_hash text, role text, name text, expires_at timestamptz, revoked_at timestamptz,
    organisations text[], last_used_at timestamptz)
  language sql stable security definer set search_path = concord, pg_temp
  as $$
    select k.id, k.institution_id, k.secret_hash, k.role, k.name, k.expires_at, k.revoked_at, k.organisations, k.last_used_at
    from concord.api_keys k where k.prefix = wanted
  $$;
drop function concord.key_by_prefix(text);

-- Whether the configuration of an institution is as it was; tells nothing of it.
create function concord.configuration_fingerprint(wanted integer) returns text
  language sql stable security definer set search_path = concord, pg_temp
  as $$
    select md5(string_agg(part, ';' order by part)) from (
      select concat_ws(':', 'institution', id, version) as part from institutions where id = wanted
      union all select concat_ws(':', 'system', id, version, archived) from data_source_configurations where institution_id = wanted
      union all select concat_ws(':', 'type', id, version, archived) from entity_types where institution_id = wanted
      union all select concat_ws(':', 'mapping', id, version, archived) from cross_system_mappings where institution_id = wanted
      union all select concat_ws(':', 'codes', id, version, archived) from code_tables where institution_id = wanted
      union all select concat_ws(':', 'job', id, version, archived) from synchronization_jobs where institution_id = wanted
    ) parts
  $$;
revoke all on function concord.holder_of_key(text), concord.configuration_fingerprint(integer) from public;
grant execute on function concord.holder_of_key(text), concord.configuration_fingerprint(integer) to concord_worker, concord_api;

-- The overview counts open questions without looking at them. The last column is what policies ask for.
create index sync_conflict_resolutions_open on concord.sync_conflict_resolutions (institution_id, job_id, kind, due_at, created_at, golden_id)
  where state = 'open';
