-- The house: configuration, runs, statements, golden records, inbox, change sets. Every row belongs to an institution and is
-- seen only inside it (policies at the end). What an owner of the schema alone may do is in the functions below them.
create schema concord;
create schema staging;

create table concord.institutions (
  id integer generated always as identity primary key,
  code text not null unique,
  name text not null,
  time_zone text not null,
  updated_by text not null,
  updated_at timestamptz not null default now()
);

-- ── configuration ────────────────────────────────────────────────────────────────────────────────────────────────────
create table concord.data_source_configurations (
  id integer generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  name text not null,
  kind text not null,
  settings jsonb not null,
  owner text,
  version integer not null default 1,
  archived boolean not null default false,
  updated_by text not null,
  updated_at timestamptz not null default now(),
  unique (institution_id, name)
);

create table concord.entity_types (
  id integer generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  name text not null,
  kind text not null check (kind in ('mastered', 'reconciled', 'posted')),
  definition jsonb not null,
  version integer not null default 1,
  archived boolean not null default false,
  updated_by text not null,
  updated_at timestamptz not null default now(),
  unique (institution_id, name)
);

create table concord.cross_system_mappings (
  id integer generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  system_id integer not null references concord.data_source_configurations (id),
  name text not null,
  entity text not null,
  definition jsonb not null,
  version integer not null default 1,
  archived boolean not null default false,
  updated_by text not null,
  updated_at timestamptz not null default now(),
  unique (institution_id, name)
);
create index cross_system_mappings_system on concord.cross_system_mappings (system_id);

create table concord.mapping_versions (
  mapping_id integer not null references concord.cross_system_mappings (id),
  version integer not null,
  institution_id integer not null references concord.institutions (id),
  definition jsonb not null,
  created_by text not null,
  created_at timestamptz not null default now(),
  primary key (mapping_id, version)
);

create table concord.data_quality_rules (
  id integer generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  mapping_id integer not null references concord.cross_system_mappings (id),
  name text not null,
  definition jsonb not null,
  version integer not null default 1,
  archived boolean not null default false,
  updated_by text not null,
  updated_at timestamptz not null default now(),
  unique (mapping_id, name)
);

create table concord.code_tables (
  id integer generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  name text not null,
  definition jsonb not null,
  version integer not null default 1,
  archived boolean not null default false,
  updated_by text not null,
  updated_at timestamptz not null default now(),
  unique (institution_id, name)
);

create table concord.synchronization_jobs (
  id integer generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  name text not null,
  definition jsonb not null,
  version integer not null default 1,
  archived boolean not null default false,
  updated_by text not null,
  updated_at timestamptz not null default now(),
  unique (institution_id, name)
);

create table concord.api_keys (
  id integer generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  prefix text not null unique,
  secret_hash text not null,
  role text not null check (role in ('secretary', 'steward', 'operator', 'auditor', 'admin')),
  name text not null,
  created_by text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);
create index api_keys_institution on concord.api_keys (institution_id);

create table concord.idempotency_keys (
  institution_id integer not null references concord.institutions (id),
  key text not null,
  request_hash uuid not null,
  status integer,
  reply jsonb,
  created_by text not null,
  created_at timestamptz not null default now(),
  primary key (institution_id, key)
);

-- ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
create table concord.sync_runs (
  id bigint generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  job_id integer references concord.synchronization_jobs (id),
  kind text not null check (kind in ('sync', 'decision', 'release', 'rollback', 'due', 'remap')),
  parent_run_id bigint references concord.sync_runs (id),
  workflow_id text not null unique,
  actor text not null,
  as_of date not null,
  state text not null,
  counts jsonb not null default '{}',
  error_code text,
  error_detail text,
  rolled_back_by bigint references concord.sync_runs (id),
  apply_started boolean not null default false,
  started_at timestamptz not null default now(),
  finished_at timestamptz
);
create unique index sync_runs_one_active_per_job on concord.sync_runs (job_id) where kind = 'sync' and finished_at is null;
create index sync_runs_job on concord.sync_runs (institution_id, job_id, id);
create index sync_runs_parent on concord.sync_runs (parent_run_id);
create index sync_runs_rolled_back_by on concord.sync_runs (rolled_back_by);

create table concord.run_chunks (
  run_id bigint not null references concord.sync_runs (id),
  step text not null,
  part text not null,
  chunk integer not null,
  institution_id integer not null references concord.institutions (id),
  state text not null default 'done' check (state in ('intended', 'done')),
  cursor text,
  counts jsonb not null default '{}',
  digest text,
  primary key (run_id, step, part, chunk)
);

create table concord.run_leases (
  run_id bigint not null references concord.sync_runs (id),
  step text not null,
  part text not null,
  institution_id integer not null references concord.institutions (id),
  token bigint not null default 1,
  primary key (run_id, step, part)
);

create table concord.deliveries (
  id bigint generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  system_id integer not null references concord.data_source_configurations (id),
  digest text not null,
  name text not null,
  state text not null check (state in ('seen', 'accepted', 'refused', 'rolled_back')),
  run_id bigint not null references concord.sync_runs (id),
  manifest jsonb,
  error_code text,
  reason text,
  seen_at timestamptz not null default now(),
  unique (system_id, digest)
);
create index deliveries_run on concord.deliveries (run_id);

create table concord.watermarks (
  mapping_id integer not null references concord.cross_system_mappings (id),
  kind text not null check (kind in ('read', 'baseline')),
  institution_id integer not null references concord.institutions (id),
  value text not null,
  run_id bigint not null references concord.sync_runs (id),
  primary key (mapping_id, kind)
);

create table concord.rejected_records (
  id bigint generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  run_id bigint not null references concord.sync_runs (id),
  mapping_id integer not null references concord.cross_system_mappings (id),
  kind text not null check (kind in ('rejected', 'waiting')),
  source_key text collate "C",
  position text not null,
  raw text,
  raw_hash uuid,
  field text,
  rule text,
  reason text not null,
  detail text not null,
  state text not null default 'open' check (state in ('open', 'resolved')),
  corrected jsonb,
  subject_key bigint,
  created_at timestamptz not null default now()
);
create index rejected_records_run on concord.rejected_records (run_id, id);
create index rejected_records_waiting on concord.rejected_records (mapping_id, source_key) where kind = 'waiting' and state = 'open';

create table concord.findings (
  id bigint generated always as identity primary key,
  institution_id integer not null,
  run_id bigint not null,
  kind text not null,
  mapping_id integer,
  system_id integer,
  entity_type_id integer,
  golden_id bigint,
  image_id bigint,
  source_key text collate "C",
  field text,
  detail text not null default '',
  subject_key bigint,
  created_at timestamptz not null default now()
);
create index findings_run on concord.findings (run_id, id);
create index findings_golden on concord.findings (golden_id);

-- ── what each system says, and what we hold to be true ───────────────────────────────────────────────────────────────
create sequence concord.golden_ids as bigint;
create sequence concord.image_ids as bigint;

-- Tables that hold bulk rows carry no foreign keys: a check of each row by trigger costs more than writing it (decision 2).
-- Lists run in the order of the entity type's groups. values: canonical JSON text, SQL null = nothing said.
-- versions null: every group that is said was set by version 1. origins null: every group came from origin_image.
create table concord.golden_records (
  id bigint primary key,
  institution_id integer not null,
  entity_type_id integer not null,
  version integer not null default 1,
  values text[] not null,
  versions integer[],
  origin_image bigint,
  origins bigint[],
  sticky integer[],
  status text not null default 'active' check (status in ('active', 'ended', 'merged')),
  merged_into bigint,
  valid_from date,
  valid_to date,
  subject_key bigint,
  created_run bigint not null,
  updated_run bigint not null,
  check ((status = 'merged') = (merged_into is not null))
);
create index golden_records_touched on concord.golden_records (entity_type_id, updated_run);
create index golden_records_subject on concord.golden_records (subject_key) where subject_key is not null and subject_key <> id;
create index golden_records_merged on concord.golden_records (merged_into) where merged_into is not null;

create table concord.golden_record_versions (
  golden_id bigint not null,
  version integer not null,
  institution_id integer not null,
  values text[] not null,
  versions integer[],
  origin_image bigint,
  origins bigint[],
  sticky integer[],
  status text not null,
  valid_from date,
  valid_to date,
  subject_key bigint,
  superseded_run bigint not null,
  primary key (golden_id, version)
);
create index golden_record_versions_run on concord.golden_record_versions (superseded_run);

create table concord.golden_references (
  golden_id bigint not null,
  path text not null,
  target_id bigint not null,
  institution_id integer not null,
  subject_key bigint,
  primary key (golden_id, path)
);
create index golden_references_target on concord.golden_references (target_id);

-- statements null: derived from raw by the mapping version (a source), or what was told of the golden record (a target).
-- states: a letter a group (l live, e echo, o open, v overruled), null = all live. settled null: settled_version for all groups.
-- raw_hash of a pure target: what stands there, in its own spelling; told_hash: what we told it, in ours.
-- read_hash: what the run read before our own write changed the row (null: raw_hash). untold: some group is to be told again.
create table concord.record_images (
  id bigint primary key,
  institution_id integer not null,
  system_id integer not null,
  mapping_id integer not null,
  entity_type_id integer not null,
  source_key text collate "C" not null,
  sub_key text collate "C" not null default '',
  main boolean not null default true,
  golden_id bigint not null,
  raw text,
  raw_hash uuid,
  read_hash uuid,
  told_hash uuid,
  mapping_version integer not null,
  scope_key text,
  statements text[],
  states text,
  settled_version integer not null default 0,
  settled integer[],
  published_version integer not null default 0,
  untold boolean not null default false,
  effective_at text,
  match_name text,
  match_birth text,
  subject_key bigint,
  deleted_run bigint,
  created_run bigint not null,
  read_run bigint,
  last_run bigint not null
);
create unique index record_images_key on concord.record_images (mapping_id, entity_type_id, source_key, sub_key);
create index record_images_golden on concord.record_images (golden_id);
create index record_images_untold on concord.record_images (mapping_id) where untold;

create table concord.record_identifiers (
  institution_id integer not null,
  entity_type_id integer not null,
  scheme text not null,
  value text collate "C" not null,
  image_id bigint not null,
  state text not null default 'current' check (state in ('current', 'retired')),
  valid_from date,
  valid_to date,
  subject_key bigint,
  primary key (image_id, scheme, value)
);
create index record_identifiers_value on concord.record_identifiers (entity_type_id, value, scheme);

create table concord.restrictions (
  id bigint generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  golden_id bigint not null references concord.golden_records (id),
  recipient_class text not null,
  mapping_id integer references concord.cross_system_mappings (id),
  source_key text collate "C",
  valid_from date,
  valid_to date,
  placed_run bigint references concord.sync_runs (id),
  placed_by text not null,
  released_by text,
  released_at timestamptz,
  subject_key bigint
);
create unique index restrictions_standing on concord.restrictions (golden_id, recipient_class) where released_at is null;

-- ── what must be projected again ─────────────────────────────────────────────────────────────────────────────────────
create table concord.target_due (
  golden_id bigint not null,
  mapping_id integer not null,
  due date not null,
  institution_id integer not null,
  subject_key bigint,
  primary key (mapping_id, due, golden_id)
);
create index target_due_golden on concord.target_due (golden_id);

-- Runs whose golden writes a target has not been offered yet (it was down, or it belongs to another job).
create table concord.target_pending (
  mapping_id integer not null references concord.cross_system_mappings (id),
  run_id bigint not null references concord.sync_runs (id),
  institution_id integer not null references concord.institutions (id),
  primary key (mapping_id, run_id)
);
create index target_pending_run on concord.target_pending (run_id);

-- Whole files as we last wrote them.
create table concord.target_files (
  mapping_id integer primary key references concord.cross_system_mappings (id),
  institution_id integer not null references concord.institutions (id),
  digest text not null,
  rows bigint not null,
  run_id bigint not null references concord.sync_runs (id)
);

-- ── questions, held changes, decisions ───────────────────────────────────────────────────────────────────────────────
create table concord.sync_conflict_resolutions (
  id bigint generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  job_id integer references concord.synchronization_jobs (id),
  opened_run bigint not null references concord.sync_runs (id),
  changed_run bigint not null references concord.sync_runs (id),
  kind text not null check (kind in ('value', 'duplicate', 'identity')),
  entity_type_id integer not null references concord.entity_types (id),
  golden_id bigint not null references concord.golden_records (id),
  group_name text not null default '',
  base text,
  candidates jsonb not null,
  suggestion jsonb,
  impact jsonb not null default '{}',
  input_hash uuid not null,
  state text not null default 'open' check (state in ('open', 'decided', 'settled', 'withdrawn', 'agreed')),
  version integer not null default 1,
  assignee text,
  due_at timestamptz,
  decision jsonb,
  decided_by text,
  decided_at timestamptz,
  batch_id bigint,
  settle_run_id bigint references concord.sync_runs (id),
  subject_key bigint,
  created_at timestamptz not null default now(),
  check ((state = 'open') = (decision is null) or state in ('withdrawn', 'agreed'))
);
create unique index sync_conflict_resolutions_one_open
  on concord.sync_conflict_resolutions (golden_id, kind, group_name) where state = 'open';
create index sync_conflict_resolutions_inbox on concord.sync_conflict_resolutions (institution_id, state, id);
create index sync_conflict_resolutions_run on concord.sync_conflict_resolutions (opened_run);
create index sync_conflict_resolutions_batch on concord.sync_conflict_resolutions (batch_id);

create table concord.held_changes (
  id bigint generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  job_id integer references concord.synchronization_jobs (id),
  run_id bigint not null references concord.sync_runs (id),
  mapping_id integer references concord.cross_system_mappings (id),
  cause text not null check (cause in ('limit', 'rolled_back_input', 'identity')),
  operation text not null check (operation in ('insert', 'update', 'delete', 'any')),
  state text not null default 'held' check (state in ('held', 'released', 'discarded', 'applied', 'withdrawn')),
  row_count bigint not null,
  base_count bigint not null,
  reason text not null,
  input_hash uuid not null,
  version integer not null default 1,
  decided_by text,
  decided_at timestamptz,
  batch_id bigint,
  settle_run_id bigint references concord.sync_runs (id),
  created_at timestamptz not null default now()
);
create unique index held_changes_one_held
  on concord.held_changes (job_id, cause, operation, coalesce(mapping_id, 0)) where state = 'held';
create index held_changes_mapping on concord.held_changes (mapping_id);
create index held_changes_inbox on concord.held_changes (institution_id, state, id);
create index held_changes_run on concord.held_changes (run_id);

create table concord.held_rows (
  held_id bigint not null references concord.held_changes (id) on delete cascade,
  mapping_id integer not null,
  source_key text collate "C" not null,
  operation text not null check (operation in ('insert', 'update', 'delete')),
  institution_id integer not null,
  raw text,
  raw_hash uuid,
  scope_key text,
  subject_key bigint,
  primary key (held_id, mapping_id, source_key)
);

create table concord.decision_batches (
  id bigint generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  job_id integer references concord.synchronization_jobs (id),
  kind text not null check (kind in ('decision', 'release', 'discard', 'override')),
  parent_run_id bigint references concord.sync_runs (id),
  actor text not null,
  reason text,
  items jsonb not null default '[]',
  state text not null default 'pending' check (state in ('pending', 'applied', 'failed')),
  settle_run_id bigint references concord.sync_runs (id),
  created_at timestamptz not null default now()
);
create index decision_batches_pending on concord.decision_batches (job_id, id) where state = 'pending';

create table concord.outbox (
  id bigint generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  topic text not null,
  subject text not null,
  created_at timestamptz not null default now(),
  delivered_at timestamptz
);
create index outbox_undelivered on concord.outbox (id) where delivered_at is null;

-- ── change sets ──────────────────────────────────────────────────────────────────────────────────────────────────────
create table concord.change_sets (
  run_id bigint primary key references concord.sync_runs (id),
  institution_id integer not null references concord.institutions (id),
  preview_hash uuid,
  rollback_counts jsonb
);

-- kind golden: row_id is the golden id, before_version/after_version name its versions (the superseded one is kept in
-- golden_record_versions). image, question: before/after are whole rows. target: row_id is the golden id, mapping_id the target's, before/after are
-- the row's cells as written there. A first insert of a golden record or an image has no entry: created_run says it.
create table concord.change_set_entries (
  run_id bigint not null,
  kind text not null check (kind in ('golden', 'image', 'target', 'question', 'restriction', 'watermark', 'input')),
  mapping_id integer not null default 0,
  row_id bigint not null,
  institution_id integer not null,
  before_version integer,
  after_version integer,
  before jsonb,
  after jsonb,
  outcome text not null check (outcome in ('intended', 'written', 'already', 'origin_differs', 'refused')),
  rollback_outcome text check (rollback_outcome in ('reversed', 'kept', 'failed')),
  subject_key bigint,
  primary key (run_id, kind, mapping_id, row_id)
);

create table concord.rolled_back_inputs (
  mapping_id integer not null,
  source_key text collate "C" not null,
  raw_hash uuid not null,
  institution_id integer not null,
  run_id bigint not null,
  rollback_run_id bigint not null,
  discarded boolean not null default false,
  primary key (mapping_id, source_key, raw_hash)
);
create index rolled_back_inputs_run on concord.rolled_back_inputs (rollback_run_id);

-- ── who sees what ────────────────────────────────────────────────────────────────────────────────────────────────────
do $$
declare t text;
begin
  for t in select c.relname from pg_class c where c.relnamespace = 'concord'::regnamespace and c.relkind = 'r' loop
    execute format('alter table concord.%I enable row level security', t);
    execute format(
      'create policy institution on concord.%I using (%s = (select nullif(current_setting(''concord.institution'', true), '''')::integer))',
      t, case t when 'institutions' then 'id' else 'institution_id' end);
  end loop;
end $$;

-- What must look across institutions: finding the institution of a key, a code, a run or the next outbox row. Ids only.
create function concord.institution_by_code(wanted text) returns integer
  language sql stable security definer set search_path = concord, pg_temp
  as $$ select id from concord.institutions where code = wanted $$;
-- An institution that has no row yet cannot be named to the policy: made here if it is not there, never changed here.
create function concord.ensure_institution(wanted_code text, wanted_name text, wanted_time_zone text, actor text) returns integer
  language plpgsql volatile security definer set search_path = concord, pg_temp
  as $$
  begin
    insert into concord.institutions (code, name, time_zone, updated_by)
    values (wanted_code, wanted_name, wanted_time_zone, actor)
    on conflict (code) do nothing;
    return (select id from concord.institutions where code = wanted_code);
  end $$;
create function concord.key_by_prefix(wanted text)
  returns table (id integer, institution_id integer, secret_hash text, role text, name text, expires_at timestamptz, revoked_at timestamptz)
  language sql stable security definer set search_path = concord, pg_temp
  as $$ select k.id, k.institution_id, k.secret_hash, k.role, k.name, k.expires_at, k.revoked_at from concord.api_keys k where k.prefix = wanted $$;
create function concord.institution_of_run(wanted bigint) returns integer
  language sql stable security definer set search_path = concord, pg_temp
  as $$ select institution_id from concord.sync_runs where id = wanted $$;
create function concord.institution_of_job(wanted integer) returns integer
  language sql stable security definer set search_path = concord, pg_temp
  as $$ select institution_id from concord.synchronization_jobs where id = wanted $$;
create function concord.undelivered_outbox(most integer)
  returns table (id bigint, institution_id integer, topic text, subject text)
  language sql stable security definer set search_path = concord, pg_temp
  as $$ select o.id, o.institution_id, o.topic, o.subject from concord.outbox o where o.delivered_at is null order by o.id limit most $$;
create function concord.unfinished_runs()
  returns table (id bigint, institution_id integer, workflow_id text, state text, started_at timestamptz)
  language sql stable security definer set search_path = concord, pg_temp
  as $$ select r.id, r.institution_id, r.workflow_id, r.state, r.started_at from concord.sync_runs r where r.finished_at is null order by r.id $$;

grant usage on schema concord to concord_worker, concord_api;
grant select, insert, update, delete on all tables in schema concord to concord_worker, concord_api;
grant usage on all sequences in schema concord to concord_worker, concord_api;
revoke all on all functions in schema concord from public;
grant execute on all functions in schema concord to concord_worker, concord_api;
-- After many rows were written, plans need to know: the writer may analyse.
grant maintain on concord.golden_records, concord.record_images, concord.record_identifiers, concord.golden_references to concord_worker;
grant usage, create on schema staging to concord_worker;
