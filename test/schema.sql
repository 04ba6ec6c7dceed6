-- schemas
create schema concord;
create schema staging;

-- sequences
create sequence concord.golden_ids as bigint;
create sequence concord.image_ids as bigint;

-- tables
create table concord.api_keys (
  id integer not null generated always as identity,
  institution_id integer not null,
  prefix text not null,
  secret_hash text not null,
  role text not null,
  name text not null,
  created_by text not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  last_used_at timestamp with time zone,
  constraint api_keys_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint api_keys_pkey PRIMARY KEY (id),
  constraint api_keys_prefix_key UNIQUE (prefix),
  constraint api_keys_role_check CHECK ((role = ANY (ARRAY['secretary'::text, 'steward'::text, 'operator'::text, 'auditor'::text, 'admin'::text])))
);
alter table concord.api_keys enable row level security;
create table concord.change_set_entries (
  run_id bigint not null,
  kind text not null,
  mapping_id integer not null default 0,
  row_id bigint not null,
  institution_id integer not null,
  before_version integer,
  after_version integer,
  before jsonb,
  after jsonb,
  outcome text not null,
  rollback_outcome text,
  subject_key bigint,
  golden_id bigint generated always as (
CASE
    WHEN (kind = 'image'::text) THEN ((COALESCE(before, after) ->> 'golden_id'::text))::bigint
    ELSE NULL::bigint
END) stored,
  constraint change_set_entries_kind_check CHECK ((kind = ANY (ARRAY['golden'::text, 'image'::text, 'target'::text, 'question'::text, 'restriction'::text, 'watermark'::text, 'input'::text]))),
  constraint change_set_entries_outcome_check CHECK ((outcome = ANY (ARRAY['intended'::text, 'written'::text, 'already'::text, 'origin_differs'::text, 'refused'::text]))),
  constraint change_set_entries_pkey PRIMARY KEY (run_id, kind, mapping_id, row_id),
  constraint change_set_entries_rollback_outcome_check CHECK ((rollback_outcome = ANY (ARRAY['reversed'::text, 'kept'::text, 'failed'::text])))
);
alter table concord.change_set_entries enable row level security;
create table concord.change_sets (
  run_id bigint not null,
  institution_id integer not null,
  preview_hash uuid,
  rollback_counts jsonb,
  constraint change_sets_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint change_sets_pkey PRIMARY KEY (run_id),
  constraint change_sets_run_id_fkey FOREIGN KEY (run_id) REFERENCES concord.sync_runs(id)
);
alter table concord.change_sets enable row level security;
create table concord.code_tables (
  id integer not null generated always as identity,
  institution_id integer not null,
  name text not null,
  definition jsonb not null,
  version integer not null default 1,
  archived boolean not null default false,
  updated_by text not null,
  updated_at timestamp with time zone not null default now(),
  constraint code_tables_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint code_tables_institution_id_name_key UNIQUE (institution_id, name),
  constraint code_tables_pkey PRIMARY KEY (id)
);
alter table concord.code_tables enable row level security;
create table concord.cross_system_mappings (
  id integer not null generated always as identity,
  institution_id integer not null,
  system_id integer not null,
  name text not null,
  entity text not null,
  definition jsonb not null,
  version integer not null default 1,
  archived boolean not null default false,
  updated_by text not null,
  updated_at timestamp with time zone not null default now(),
  constraint cross_system_mappings_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint cross_system_mappings_institution_id_name_key UNIQUE (institution_id, name),
  constraint cross_system_mappings_pkey PRIMARY KEY (id),
  constraint cross_system_mappings_system_id_fkey FOREIGN KEY (system_id) REFERENCES concord.data_source_configurations(id)
);
alter table concord.cross_system_mappings enable row level security;
create table concord.data_quality_rules (
  id integer not null generated always as identity,
  institution_id integer not null,
  mapping_id integer not null,
  name text not null,
  definition jsonb not null,
  version integer not null default 1,
  archived boolean not null default false,
  updated_by text not null,
  updated_at timestamp with time zone not null default now(),
  constraint data_quality_rules_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint data_quality_rules_mapping_id_fkey FOREIGN KEY (mapping_id) REFERENCES concord.cross_system_mappings(id),
  constraint data_quality_rules_mapping_id_name_key UNIQUE (mapping_id, name),
  constraint data_quality_rules_pkey PRIMARY KEY (id)
);
alter table concord.data_quality_rules enable row level security;
create table concord.data_source_configurations (
  id integer not null generated always as identity,
  institution_id integer not null,
  name text not null,
  kind text not null,
  settings jsonb not null,
  owner text,
  version integer not null default 1,
  archived boolean not null default false,
  updated_by text not null,
  updated_at timestamp with time zone not null default now(),
  constraint data_source_configurations_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint data_source_configurations_institution_id_name_key UNIQUE (institution_id, name),
  constraint data_source_configurations_pkey PRIMARY KEY (id)
);
alter table concord.data_source_configurations enable row level security;
create table concord.decision_batches (
  id bigint not null generated always as identity,
  institution_id integer not null,
  job_id integer,
  kind text not null,
  parent_run_id bigint,
  actor text not null,
  reason text,
  items jsonb not null default '[]'::jsonb,
  state text not null default 'pending'::text,
  settle_run_id bigint,
  created_at timestamp with time zone not null default now(),
  constraint decision_batches_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint decision_batches_job_id_fkey FOREIGN KEY (job_id) REFERENCES concord.synchronization_jobs(id),
  constraint decision_batches_kind_check CHECK ((kind = ANY (ARRAY['decision'::text, 'release'::text, 'discard'::text, 'override'::text]))),
  constraint decision_batches_parent_run_id_fkey FOREIGN KEY (parent_run_id) REFERENCES concord.sync_runs(id),
  constraint decision_batches_pkey PRIMARY KEY (id),
  constraint decision_batches_settle_run_id_fkey FOREIGN KEY (settle_run_id) REFERENCES concord.sync_runs(id),
  constraint decision_batches_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'applied'::text, 'failed'::text])))
);
alter table concord.decision_batches enable row level security;
create table concord.deliveries (
  id bigint not null generated always as identity,
  institution_id integer not null,
  system_id integer not null,
  digest text not null,
  name text not null,
  state text not null,
  run_id bigint not null,
  manifest jsonb,
  error_code text,
  reason text,
  seen_at timestamp with time zone not null default now(),
  constraint deliveries_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint deliveries_pkey PRIMARY KEY (id),
  constraint deliveries_run_id_fkey FOREIGN KEY (run_id) REFERENCES concord.sync_runs(id),
  constraint deliveries_state_check CHECK ((state = ANY (ARRAY['seen'::text, 'accepted'::text, 'refused'::text, 'rolled_back'::text]))),
  constraint deliveries_system_id_digest_key UNIQUE (system_id, digest),
  constraint deliveries_system_id_fkey FOREIGN KEY (system_id) REFERENCES concord.data_source_configurations(id)
);
alter table concord.deliveries enable row level security;
create table concord.entity_types (
  id integer not null generated always as identity,
  institution_id integer not null,
  name text not null,
  kind text not null,
  definition jsonb not null,
  version integer not null default 1,
  archived boolean not null default false,
  updated_by text not null,
  updated_at timestamp with time zone not null default now(),
  constraint entity_types_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint entity_types_institution_id_name_key UNIQUE (institution_id, name),
  constraint entity_types_kind_check CHECK ((kind = ANY (ARRAY['mastered'::text, 'reconciled'::text, 'posted'::text]))),
  constraint entity_types_pkey PRIMARY KEY (id)
);
alter table concord.entity_types enable row level security;
create table concord.findings (
  id bigint not null generated always as identity,
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
  detail text not null default ''::text,
  subject_key bigint,
  created_at timestamp with time zone not null default now(),
  constraint findings_pkey PRIMARY KEY (id)
);
alter table concord.findings enable row level security;
create table concord.golden_record_versions (
  golden_id bigint not null,
  version integer not null,
  institution_id integer not null,
  "values" text[] not null,
  versions integer[],
  origin_image bigint,
  origins bigint[],
  sticky integer[],
  status text not null,
  valid_from date,
  valid_to date,
  subject_key bigint,
  superseded_run bigint not null,
  merged_into bigint,
  constraint golden_record_versions_pkey PRIMARY KEY (golden_id, version)
);
alter table concord.golden_record_versions enable row level security;
create table concord.golden_records (
  id bigint not null,
  institution_id integer not null,
  entity_type_id integer not null,
  version integer not null default 1,
  "values" text[] not null,
  versions integer[],
  origin_image bigint,
  origins bigint[],
  sticky integer[],
  status text not null default 'active'::text,
  merged_into bigint,
  valid_from date,
  valid_to date,
  subject_key bigint,
  created_run bigint not null,
  updated_run bigint not null,
  constraint golden_records_check CHECK (((status = 'merged'::text) = (merged_into IS NOT NULL))),
  constraint golden_records_pkey PRIMARY KEY (id),
  constraint golden_records_status_check CHECK ((status = ANY (ARRAY['active'::text, 'ended'::text, 'merged'::text])))
);
alter table concord.golden_records enable row level security;
create table concord.golden_references (
  golden_id bigint not null,
  path text not null,
  target_id bigint not null,
  institution_id integer not null,
  subject_key bigint,
  constraint golden_references_pkey PRIMARY KEY (golden_id, path)
);
alter table concord.golden_references enable row level security;
create table concord.held_changes (
  id bigint not null generated always as identity,
  institution_id integer not null,
  job_id integer,
  run_id bigint not null,
  mapping_id integer,
  cause text not null,
  operation text not null,
  state text not null default 'held'::text,
  row_count bigint not null,
  base_count bigint not null,
  reason text not null,
  input_hash uuid not null,
  version integer not null default 1,
  decided_by text,
  decided_at timestamp with time zone,
  batch_id bigint,
  settle_run_id bigint,
  created_at timestamp with time zone not null default now(),
  constraint held_changes_cause_check CHECK ((cause = ANY (ARRAY['limit'::text, 'rolled_back_input'::text, 'identity'::text]))),
  constraint held_changes_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint held_changes_job_id_fkey FOREIGN KEY (job_id) REFERENCES concord.synchronization_jobs(id),
  constraint held_changes_mapping_id_fkey FOREIGN KEY (mapping_id) REFERENCES concord.cross_system_mappings(id),
  constraint held_changes_operation_check CHECK ((operation = ANY (ARRAY['insert'::text, 'update'::text, 'delete'::text, 'any'::text]))),
  constraint held_changes_pkey PRIMARY KEY (id),
  constraint held_changes_run_id_fkey FOREIGN KEY (run_id) REFERENCES concord.sync_runs(id),
  constraint held_changes_settle_run_id_fkey FOREIGN KEY (settle_run_id) REFERENCES concord.sync_runs(id),
  constraint held_changes_state_check CHECK ((state = ANY (ARRAY['held'::text, 'released'::text, 'discarded'::text, 'applied'::text, 'withdrawn'::text])))
);
alter table concord.held_changes enable row level security;
create table concord.held_rows (
  held_id bigint not null,
  mapping_id integer not null,
  source_key text collate "C" not null,
  operation text not null,
  institution_id integer not null,
  raw text,
  raw_hash uuid,
  scope_key text,
  subject_key bigint,
  constraint held_rows_held_id_fkey FOREIGN KEY (held_id) REFERENCES concord.held_changes(id) ON DELETE CASCADE,
  constraint held_rows_operation_check CHECK ((operation = ANY (ARRAY['insert'::text, 'update'::text, 'delete'::text]))),
  constraint held_rows_pkey PRIMARY KEY (held_id, mapping_id, source_key)
);
alter table concord.held_rows enable row level security;
create table concord.idempotency_keys (
  institution_id integer not null,
  key text not null,
  request_hash uuid not null,
  status integer,
  reply jsonb,
  created_by text not null,
  created_at timestamp with time zone not null default now(),
  constraint idempotency_keys_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint idempotency_keys_pkey PRIMARY KEY (institution_id, key)
);
alter table concord.idempotency_keys enable row level security;
create table concord.institutions (
  id integer not null generated always as identity,
  code text not null,
  name text not null,
  time_zone text not null,
  updated_by text not null,
  updated_at timestamp with time zone not null default now(),
  recipient_classes jsonb,
  constraint institutions_code_key UNIQUE (code),
  constraint institutions_pkey PRIMARY KEY (id)
);
alter table concord.institutions enable row level security;
create table concord.mapping_versions (
  mapping_id integer not null,
  version integer not null,
  institution_id integer not null,
  definition jsonb not null,
  created_by text not null,
  created_at timestamp with time zone not null default now(),
  code_tables jsonb,
  constraint mapping_versions_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint mapping_versions_mapping_id_fkey FOREIGN KEY (mapping_id) REFERENCES concord.cross_system_mappings(id),
  constraint mapping_versions_pkey PRIMARY KEY (mapping_id, version)
);
alter table concord.mapping_versions enable row level security;
create table concord.outbox (
  id bigint not null generated always as identity,
  institution_id integer not null,
  topic text not null,
  subject text not null,
  created_at timestamp with time zone not null default now(),
  delivered_at timestamp with time zone,
  constraint outbox_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint outbox_pkey PRIMARY KEY (id)
);
alter table concord.outbox enable row level security;
create table concord.record_identifiers (
  institution_id integer not null,
  entity_type_id integer not null,
  scheme text not null,
  value text collate "C" not null,
  image_id bigint not null,
  state text not null default 'current'::text,
  valid_from date,
  valid_to date,
  subject_key bigint,
  constraint record_identifiers_pkey PRIMARY KEY (image_id, scheme, value),
  constraint record_identifiers_state_check CHECK ((state = ANY (ARRAY['current'::text, 'retired'::text])))
);
alter table concord.record_identifiers enable row level security;
create table concord.record_images (
  id bigint not null,
  institution_id integer not null,
  system_id integer not null,
  mapping_id integer not null,
  entity_type_id integer not null,
  source_key text collate "C" not null,
  sub_key text collate "C" not null default ''::text,
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
  last_run bigint not null,
  constraint record_images_pkey PRIMARY KEY (id)
);
alter table concord.record_images enable row level security;
create table concord.rejected_records (
  id bigint not null generated always as identity,
  institution_id integer not null,
  run_id bigint not null,
  mapping_id integer not null,
  kind text not null,
  source_key text collate "C",
  "position" text not null,
  raw text,
  raw_hash uuid,
  field text,
  rule text,
  reason text not null,
  detail text not null,
  state text not null default 'open'::text,
  corrected jsonb,
  subject_key bigint,
  created_at timestamp with time zone not null default now(),
  constraint rejected_records_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint rejected_records_kind_check CHECK ((kind = ANY (ARRAY['rejected'::text, 'waiting'::text]))),
  constraint rejected_records_mapping_id_fkey FOREIGN KEY (mapping_id) REFERENCES concord.cross_system_mappings(id),
  constraint rejected_records_pkey PRIMARY KEY (id),
  constraint rejected_records_run_id_fkey FOREIGN KEY (run_id) REFERENCES concord.sync_runs(id),
  constraint rejected_records_state_check CHECK ((state = ANY (ARRAY['open'::text, 'resolved'::text])))
);
alter table concord.rejected_records enable row level security;
create table concord.restrictions (
  id bigint not null generated always as identity,
  institution_id integer not null,
  golden_id bigint not null,
  recipient_class text not null,
  mapping_id integer,
  source_key text collate "C",
  valid_from date,
  valid_to date,
  placed_run bigint,
  placed_by text not null,
  released_by text,
  released_at timestamp with time zone,
  subject_key bigint,
  constraint restrictions_golden_id_fkey FOREIGN KEY (golden_id) REFERENCES concord.golden_records(id),
  constraint restrictions_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint restrictions_mapping_id_fkey FOREIGN KEY (mapping_id) REFERENCES concord.cross_system_mappings(id),
  constraint restrictions_pkey PRIMARY KEY (id),
  constraint restrictions_placed_run_fkey FOREIGN KEY (placed_run) REFERENCES concord.sync_runs(id)
);
alter table concord.restrictions enable row level security;
create table concord.rolled_back_inputs (
  mapping_id integer not null,
  source_key text collate "C" not null,
  raw_hash uuid not null,
  institution_id integer not null,
  run_id bigint not null,
  rollback_run_id bigint not null,
  discarded boolean not null default false,
  constraint rolled_back_inputs_pkey PRIMARY KEY (mapping_id, source_key, raw_hash)
);
alter table concord.rolled_back_inputs enable row level security;
create table concord.run_chunks (
  run_id bigint not null,
  step text not null,
  part text not null,
  chunk integer not null,
  institution_id integer not null,
  state text not null default 'done'::text,
  cursor text,
  counts jsonb not null default '{}'::jsonb,
  digest text,
  constraint run_chunks_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint run_chunks_pkey PRIMARY KEY (run_id, step, part, chunk),
  constraint run_chunks_run_id_fkey FOREIGN KEY (run_id) REFERENCES concord.sync_runs(id),
  constraint run_chunks_state_check CHECK ((state = ANY (ARRAY['intended'::text, 'done'::text])))
);
alter table concord.run_chunks enable row level security;
create table concord.run_leases (
  run_id bigint not null,
  step text not null,
  part text not null,
  institution_id integer not null,
  token bigint not null default 1,
  constraint run_leases_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint run_leases_pkey PRIMARY KEY (run_id, step, part),
  constraint run_leases_run_id_fkey FOREIGN KEY (run_id) REFERENCES concord.sync_runs(id)
);
alter table concord.run_leases enable row level security;
create table concord.run_requests (
  workflow_id text not null,
  institution_id integer not null,
  reason text not null,
  created_at timestamp with time zone not null default now(),
  constraint run_requests_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint run_requests_pkey PRIMARY KEY (workflow_id)
);
alter table concord.run_requests enable row level security;
create table concord.sync_conflict_resolutions (
  id bigint not null generated always as identity,
  institution_id integer not null,
  job_id integer,
  opened_run bigint not null,
  changed_run bigint not null,
  kind text not null,
  entity_type_id integer not null,
  golden_id bigint not null,
  group_name text not null default ''::text,
  base text,
  candidates jsonb not null,
  suggestion jsonb,
  impact jsonb not null default '{}'::jsonb,
  input_hash uuid not null,
  state text not null default 'open'::text,
  version integer not null default 1,
  assignee text,
  due_at timestamp with time zone,
  decision jsonb,
  decided_by text,
  decided_at timestamp with time zone,
  batch_id bigint,
  settle_run_id bigint,
  subject_key bigint,
  created_at timestamp with time zone not null default now(),
  image_id bigint,
  constraint sync_conflict_resolutions_changed_run_fkey FOREIGN KEY (changed_run) REFERENCES concord.sync_runs(id),
  constraint sync_conflict_resolutions_check CHECK ((((state = 'open'::text) = (decision IS NULL)) OR (state = ANY (ARRAY['withdrawn'::text, 'agreed'::text])))),
  constraint sync_conflict_resolutions_entity_type_id_fkey FOREIGN KEY (entity_type_id) REFERENCES concord.entity_types(id),
  constraint sync_conflict_resolutions_golden_id_fkey FOREIGN KEY (golden_id) REFERENCES concord.golden_records(id),
  constraint sync_conflict_resolutions_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint sync_conflict_resolutions_job_id_fkey FOREIGN KEY (job_id) REFERENCES concord.synchronization_jobs(id),
  constraint sync_conflict_resolutions_kind_check CHECK ((kind = ANY (ARRAY['value'::text, 'duplicate'::text, 'identity'::text]))),
  constraint sync_conflict_resolutions_opened_run_fkey FOREIGN KEY (opened_run) REFERENCES concord.sync_runs(id),
  constraint sync_conflict_resolutions_pkey PRIMARY KEY (id),
  constraint sync_conflict_resolutions_settle_run_id_fkey FOREIGN KEY (settle_run_id) REFERENCES concord.sync_runs(id),
  constraint sync_conflict_resolutions_state_check CHECK ((state = ANY (ARRAY['open'::text, 'decided'::text, 'settled'::text, 'withdrawn'::text, 'agreed'::text])))
);
alter table concord.sync_conflict_resolutions enable row level security;
create table concord.sync_runs (
  id bigint not null generated always as identity,
  institution_id integer not null,
  job_id integer,
  kind text not null,
  parent_run_id bigint,
  workflow_id text not null,
  actor text not null,
  as_of date not null,
  state text not null,
  counts jsonb not null default '{}'::jsonb,
  error_code text,
  error_detail text,
  rolled_back_by bigint,
  apply_started boolean not null default false,
  started_at timestamp with time zone not null default now(),
  finished_at timestamp with time zone,
  reason text,
  constraint sync_runs_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint sync_runs_job_id_fkey FOREIGN KEY (job_id) REFERENCES concord.synchronization_jobs(id),
  constraint sync_runs_kind_check CHECK ((kind = ANY (ARRAY['sync'::text, 'decision'::text, 'release'::text, 'rollback'::text, 'due'::text, 'remap'::text]))),
  constraint sync_runs_parent_run_id_fkey FOREIGN KEY (parent_run_id) REFERENCES concord.sync_runs(id),
  constraint sync_runs_pkey PRIMARY KEY (id),
  constraint sync_runs_rolled_back_by_fkey FOREIGN KEY (rolled_back_by) REFERENCES concord.sync_runs(id),
  constraint sync_runs_workflow_id_key UNIQUE (workflow_id)
);
alter table concord.sync_runs enable row level security;
create table concord.synchronization_jobs (
  id integer not null generated always as identity,
  institution_id integer not null,
  name text not null,
  definition jsonb not null,
  version integer not null default 1,
  archived boolean not null default false,
  updated_by text not null,
  updated_at timestamp with time zone not null default now(),
  constraint synchronization_jobs_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint synchronization_jobs_institution_id_name_key UNIQUE (institution_id, name),
  constraint synchronization_jobs_pkey PRIMARY KEY (id)
);
alter table concord.synchronization_jobs enable row level security;
create table concord.target_due (
  golden_id bigint not null,
  mapping_id integer not null,
  due date not null,
  institution_id integer not null,
  subject_key bigint,
  constraint target_due_pkey PRIMARY KEY (mapping_id, due, golden_id)
);
alter table concord.target_due enable row level security;
create table concord.target_files (
  mapping_id integer not null,
  institution_id integer not null,
  digest text not null,
  rows bigint not null,
  run_id bigint not null,
  constraint target_files_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint target_files_mapping_id_fkey FOREIGN KEY (mapping_id) REFERENCES concord.cross_system_mappings(id),
  constraint target_files_pkey PRIMARY KEY (mapping_id),
  constraint target_files_run_id_fkey FOREIGN KEY (run_id) REFERENCES concord.sync_runs(id)
);
alter table concord.target_files enable row level security;
create table concord.target_pending (
  mapping_id integer not null,
  run_id bigint not null,
  institution_id integer not null,
  constraint target_pending_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint target_pending_mapping_id_fkey FOREIGN KEY (mapping_id) REFERENCES concord.cross_system_mappings(id),
  constraint target_pending_pkey PRIMARY KEY (mapping_id, run_id),
  constraint target_pending_run_id_fkey FOREIGN KEY (run_id) REFERENCES concord.sync_runs(id)
);
alter table concord.target_pending enable row level security;
create table concord.watermarks (
  mapping_id integer not null,
  kind text not null,
  institution_id integer not null,
  value text not null,
  run_id bigint not null,
  constraint watermarks_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint watermarks_kind_check CHECK ((kind = ANY (ARRAY['read'::text, 'baseline'::text, 'mapped'::text, 'projected'::text]))),
  constraint watermarks_mapping_id_fkey FOREIGN KEY (mapping_id) REFERENCES concord.cross_system_mappings(id),
  constraint watermarks_pkey PRIMARY KEY (mapping_id, kind),
  constraint watermarks_run_id_fkey FOREIGN KEY (run_id) REFERENCES concord.sync_runs(id)
);
alter table concord.watermarks enable row level security;

-- indexes
CREATE INDEX api_keys_institution ON concord.api_keys USING btree (institution_id);
CREATE INDEX change_set_entries_golden ON concord.change_set_entries USING btree (run_id, golden_id) WHERE (golden_id IS NOT NULL);
CREATE INDEX change_set_entries_restored ON concord.change_set_entries USING btree (row_id) WHERE ((kind = 'golden'::text) AND (after IS NOT NULL));
CREATE INDEX cross_system_mappings_system ON concord.cross_system_mappings USING btree (system_id);
CREATE INDEX decision_batches_pending ON concord.decision_batches USING btree (job_id, id) WHERE (state = 'pending'::text);
CREATE INDEX deliveries_run ON concord.deliveries USING btree (run_id);
CREATE INDEX findings_golden ON concord.findings USING btree (golden_id);
CREATE INDEX findings_run ON concord.findings USING btree (run_id, id);
CREATE INDEX golden_record_versions_run ON concord.golden_record_versions USING btree (superseded_run);
CREATE INDEX golden_records_merged ON concord.golden_records USING btree (merged_into) WHERE (merged_into IS NOT NULL);
CREATE INDEX golden_records_subject ON concord.golden_records USING btree (subject_key) WHERE ((subject_key IS NOT NULL) AND (subject_key <> id));
CREATE INDEX golden_records_touched ON concord.golden_records USING btree (entity_type_id, updated_run);
CREATE INDEX golden_references_target ON concord.golden_references USING btree (target_id);
CREATE INDEX held_changes_inbox ON concord.held_changes USING btree (institution_id, state, id);
CREATE INDEX held_changes_mapping ON concord.held_changes USING btree (mapping_id);
CREATE UNIQUE INDEX held_changes_one_held ON concord.held_changes USING btree (job_id, cause, operation, COALESCE(mapping_id, 0)) WHERE (state = 'held'::text);
CREATE INDEX held_changes_run ON concord.held_changes USING btree (run_id);
CREATE INDEX outbox_undelivered ON concord.outbox USING btree (id) WHERE (delivered_at IS NULL);
CREATE INDEX record_identifiers_value ON concord.record_identifiers USING btree (entity_type_id, value, scheme);
CREATE INDEX record_images_golden ON concord.record_images USING btree (golden_id);
CREATE UNIQUE INDEX record_images_key ON concord.record_images USING btree (mapping_id, entity_type_id, source_key, sub_key);
CREATE INDEX record_images_untold ON concord.record_images USING btree (mapping_id) WHERE untold;
CREATE INDEX rejected_records_run ON concord.rejected_records USING btree (run_id, id);
CREATE INDEX rejected_records_waiting ON concord.rejected_records USING btree (mapping_id, source_key) WHERE ((kind = 'waiting'::text) AND (state = 'open'::text));
CREATE UNIQUE INDEX restrictions_standing ON concord.restrictions USING btree (golden_id, recipient_class) WHERE (released_at IS NULL);
CREATE INDEX rolled_back_inputs_run ON concord.rolled_back_inputs USING btree (rollback_run_id);
CREATE INDEX sync_conflict_resolutions_batch ON concord.sync_conflict_resolutions USING btree (batch_id);
CREATE INDEX sync_conflict_resolutions_golden ON concord.sync_conflict_resolutions USING btree (golden_id);
CREATE INDEX sync_conflict_resolutions_inbox ON concord.sync_conflict_resolutions USING btree (institution_id, state, id);
CREATE UNIQUE INDEX sync_conflict_resolutions_one_open ON concord.sync_conflict_resolutions USING btree (golden_id, kind, group_name, COALESCE(image_id, (0)::bigint)) WHERE (state = 'open'::text);
CREATE INDEX sync_conflict_resolutions_run ON concord.sync_conflict_resolutions USING btree (opened_run);
CREATE INDEX sync_runs_job ON concord.sync_runs USING btree (institution_id, job_id, id);
CREATE UNIQUE INDEX sync_runs_one_active_per_job ON concord.sync_runs USING btree (job_id) WHERE ((kind = 'sync'::text) AND (finished_at IS NULL));
CREATE INDEX sync_runs_parent ON concord.sync_runs USING btree (parent_run_id);
CREATE INDEX sync_runs_rolled_back_by ON concord.sync_runs USING btree (rolled_back_by);
CREATE INDEX target_due_golden ON concord.target_due USING btree (golden_id);
CREATE INDEX target_pending_run ON concord.target_pending USING btree (run_id);

-- policies
create policy institution on concord.api_keys for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.change_set_entries for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.change_sets for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.code_tables for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.cross_system_mappings for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.data_quality_rules for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.data_source_configurations for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.decision_batches for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.deliveries for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.entity_types for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.findings for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.golden_record_versions for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.golden_records for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.golden_references for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.held_changes for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.held_rows for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.idempotency_keys for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.institutions for all to public using ((id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.mapping_versions for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.outbox for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.record_identifiers for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.record_images for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.rejected_records for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.restrictions for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.rolled_back_inputs for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.run_chunks for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.run_leases for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.run_requests for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.sync_conflict_resolutions for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.sync_runs for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.synchronization_jobs for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.target_due for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.target_files for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.target_pending for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.watermarks for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));

-- functions
CREATE OR REPLACE FUNCTION concord.ensure_institution(wanted_code text, wanted_name text, wanted_time_zone text, actor text)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$
  begin
    insert into concord.institutions (code, name, time_zone, updated_by)
    values (wanted_code, wanted_name, wanted_time_zone, actor)
    on conflict (code) do nothing;
    return (select id from concord.institutions where code = wanted_code);
  end $function$;
CREATE OR REPLACE FUNCTION concord.institution_by_code(wanted text)
 RETURNS integer
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$ select id from concord.institutions where code = wanted $function$;
CREATE OR REPLACE FUNCTION concord.institution_of_job(wanted integer)
 RETURNS integer
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$ select institution_id from concord.synchronization_jobs where id = wanted $function$;
CREATE OR REPLACE FUNCTION concord.institution_of_run(wanted bigint)
 RETURNS integer
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$ select institution_id from concord.sync_runs where id = wanted $function$;
CREATE OR REPLACE FUNCTION concord.key_by_prefix(wanted text)
 RETURNS TABLE(id integer, institution_id integer, secret_hash text, role text, name text, expires_at timestamp with time zone, revoked_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$ select k.id, k.institution_id, k.secret_hash, k.role, k.name, k.expires_at, k.revoked_at from concord.api_keys k where k.prefix = wanted $function$;
CREATE OR REPLACE FUNCTION concord.undelivered_outbox(most integer)
 RETURNS TABLE(id bigint, institution_id integer, topic text, subject text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$ select o.id, o.institution_id, o.topic, o.subject from concord.outbox o where o.delivered_at is null order by o.id limit most $function$;
CREATE OR REPLACE FUNCTION concord.unfinished_runs()
 RETURNS TABLE(id bigint, institution_id integer, workflow_id text, state text, started_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$ select r.id, r.institution_id, r.workflow_id, r.state, r.started_at from concord.sync_runs r where r.finished_at is null order by r.id $function$;

-- grants
grant create, usage on schema staging to concord_worker;
grant delete, insert, maintain, select, update on table concord.golden_records to concord_worker;
grant delete, insert, maintain, select, update on table concord.golden_references to concord_worker;
grant delete, insert, maintain, select, update on table concord.record_identifiers to concord_worker;
grant delete, insert, maintain, select, update on table concord.record_images to concord_worker;
grant delete, insert, select, update on table concord.api_keys to concord_api;
grant delete, insert, select, update on table concord.api_keys to concord_worker;
grant delete, insert, select, update on table concord.change_set_entries to concord_api;
grant delete, insert, select, update on table concord.change_set_entries to concord_worker;
grant delete, insert, select, update on table concord.change_sets to concord_api;
grant delete, insert, select, update on table concord.change_sets to concord_worker;
grant delete, insert, select, update on table concord.code_tables to concord_api;
grant delete, insert, select, update on table concord.code_tables to concord_worker;
grant delete, insert, select, update on table concord.cross_system_mappings to concord_api;
grant delete, insert, select, update on table concord.cross_system_mappings to concord_worker;
grant delete, insert, select, update on table concord.data_quality_rules to concord_api;
grant delete, insert, select, update on table concord.data_quality_rules to concord_worker;
grant delete, insert, select, update on table concord.data_source_configurations to concord_api;
grant delete, insert, select, update on table concord.data_source_configurations to concord_worker;
grant delete, insert, select, update on table concord.decision_batches to concord_api;
grant delete, insert, select, update on table concord.decision_batches to concord_worker;
grant delete, insert, select, update on table concord.deliveries to concord_api;
grant delete, insert, select, update on table concord.deliveries to concord_worker;
grant delete, insert, select, update on table concord.entity_types to concord_api;
grant delete, insert, select, update on table concord.entity_types to concord_worker;
grant delete, insert, select, update on table concord.findings to concord_api;
grant delete, insert, select, update on table concord.findings to concord_worker;
grant delete, insert, select, update on table concord.golden_record_versions to concord_api;
grant delete, insert, select, update on table concord.golden_record_versions to concord_worker;
grant delete, insert, select, update on table concord.golden_records to concord_api;
grant delete, insert, select, update on table concord.golden_references to concord_api;
grant delete, insert, select, update on table concord.held_changes to concord_api;
grant delete, insert, select, update on table concord.held_changes to concord_worker;
grant delete, insert, select, update on table concord.held_rows to concord_api;
grant delete, insert, select, update on table concord.held_rows to concord_worker;
grant delete, insert, select, update on table concord.idempotency_keys to concord_api;
grant delete, insert, select, update on table concord.idempotency_keys to concord_worker;
grant delete, insert, select, update on table concord.institutions to concord_api;
grant delete, insert, select, update on table concord.institutions to concord_worker;
grant delete, insert, select, update on table concord.mapping_versions to concord_api;
grant delete, insert, select, update on table concord.mapping_versions to concord_worker;
grant delete, insert, select, update on table concord.outbox to concord_api;
grant delete, insert, select, update on table concord.outbox to concord_worker;
grant delete, insert, select, update on table concord.record_identifiers to concord_api;
grant delete, insert, select, update on table concord.record_images to concord_api;
grant delete, insert, select, update on table concord.rejected_records to concord_api;
grant delete, insert, select, update on table concord.rejected_records to concord_worker;
grant delete, insert, select, update on table concord.restrictions to concord_api;
grant delete, insert, select, update on table concord.restrictions to concord_worker;
grant delete, insert, select, update on table concord.rolled_back_inputs to concord_api;
grant delete, insert, select, update on table concord.rolled_back_inputs to concord_worker;
grant delete, insert, select, update on table concord.run_chunks to concord_api;
grant delete, insert, select, update on table concord.run_chunks to concord_worker;
grant delete, insert, select, update on table concord.run_leases to concord_api;
grant delete, insert, select, update on table concord.run_leases to concord_worker;
grant delete, insert, select, update on table concord.run_requests to concord_api;
grant delete, insert, select, update on table concord.run_requests to concord_worker;
grant delete, insert, select, update on table concord.sync_conflict_resolutions to concord_api;
grant delete, insert, select, update on table concord.sync_conflict_resolutions to concord_worker;
grant delete, insert, select, update on table concord.sync_runs to concord_api;
grant delete, insert, select, update on table concord.sync_runs to concord_worker;
grant delete, insert, select, update on table concord.synchronization_jobs to concord_api;
grant delete, insert, select, update on table concord.synchronization_jobs to concord_worker;
grant delete, insert, select, update on table concord.target_due to concord_api;
grant delete, insert, select, update on table concord.target_due to concord_worker;
grant delete, insert, select, update on table concord.target_files to concord_api;
grant delete, insert, select, update on table concord.target_files to concord_worker;
grant delete, insert, select, update on table concord.target_pending to concord_api;
grant delete, insert, select, update on table concord.target_pending to concord_worker;
grant delete, insert, select, update on table concord.watermarks to concord_api;
grant delete, insert, select, update on table concord.watermarks to concord_worker;
grant execute on function concord.ensure_institution(text,text,text,text) to concord_api;
grant execute on function concord.ensure_institution(text,text,text,text) to concord_worker;
grant execute on function concord.institution_by_code(text) to concord_api;
grant execute on function concord.institution_by_code(text) to concord_worker;
grant execute on function concord.institution_of_job(integer) to concord_api;
grant execute on function concord.institution_of_job(integer) to concord_worker;
grant execute on function concord.institution_of_run(bigint) to concord_api;
grant execute on function concord.institution_of_run(bigint) to concord_worker;
grant execute on function concord.key_by_prefix(text) to concord_api;
grant execute on function concord.key_by_prefix(text) to concord_worker;
grant execute on function concord.undelivered_outbox(integer) to concord_api;
grant execute on function concord.undelivered_outbox(integer) to concord_worker;
grant execute on function concord.unfinished_runs() to concord_api;
grant execute on function concord.unfinished_runs() to concord_worker;
grant usage on schema concord to concord_api;
grant usage on schema concord to concord_worker;
grant usage on sequence concord.api_keys_id_seq to concord_api;
grant usage on sequence concord.api_keys_id_seq to concord_worker;
grant usage on sequence concord.code_tables_id_seq to concord_api;
grant usage on sequence concord.code_tables_id_seq to concord_worker;
grant usage on sequence concord.cross_system_mappings_id_seq to concord_api;
grant usage on sequence concord.cross_system_mappings_id_seq to concord_worker;
grant usage on sequence concord.data_quality_rules_id_seq to concord_api;
grant usage on sequence concord.data_quality_rules_id_seq to concord_worker;
grant usage on sequence concord.data_source_configurations_id_seq to concord_api;
grant usage on sequence concord.data_source_configurations_id_seq to concord_worker;
grant usage on sequence concord.decision_batches_id_seq to concord_api;
grant usage on sequence concord.decision_batches_id_seq to concord_worker;
grant usage on sequence concord.deliveries_id_seq to concord_api;
grant usage on sequence concord.deliveries_id_seq to concord_worker;
grant usage on sequence concord.entity_types_id_seq to concord_api;
grant usage on sequence concord.entity_types_id_seq to concord_worker;
grant usage on sequence concord.findings_id_seq to concord_api;
grant usage on sequence concord.findings_id_seq to concord_worker;
grant usage on sequence concord.golden_ids to concord_api;
grant usage on sequence concord.golden_ids to concord_worker;
grant usage on sequence concord.held_changes_id_seq to concord_api;
grant usage on sequence concord.held_changes_id_seq to concord_worker;
grant usage on sequence concord.image_ids to concord_api;
grant usage on sequence concord.image_ids to concord_worker;
grant usage on sequence concord.institutions_id_seq to concord_api;
grant usage on sequence concord.institutions_id_seq to concord_worker;
grant usage on sequence concord.outbox_id_seq to concord_api;
grant usage on sequence concord.outbox_id_seq to concord_worker;
grant usage on sequence concord.rejected_records_id_seq to concord_api;
grant usage on sequence concord.rejected_records_id_seq to concord_worker;
grant usage on sequence concord.restrictions_id_seq to concord_api;
grant usage on sequence concord.restrictions_id_seq to concord_worker;
grant usage on sequence concord.sync_conflict_resolutions_id_seq to concord_api;
grant usage on sequence concord.sync_conflict_resolutions_id_seq to concord_worker;
grant usage on sequence concord.sync_runs_id_seq to concord_api;
grant usage on sequence concord.sync_runs_id_seq to concord_worker;
grant usage on sequence concord.synchronization_jobs_id_seq to concord_api;
grant usage on sequence concord.synchronization_jobs_id_seq to concord_worker;
