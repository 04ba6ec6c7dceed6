-- schemas
create schema concord;
create schema staging;

-- sequences
create sequence concord.event_positions as bigint;
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
  organisations text[] not null default '{}'::text[],
  version integer not null default 1,
  changed_by text,
  changed_at timestamp with time zone,
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
create table concord.configuration_versions (
  institution_id integer not null,
  kind text not null,
  object_id integer not null,
  version integer not null,
  action text not null,
  definition jsonb not null,
  changed_by text not null,
  changed_at timestamp with time zone not null default now(),
  constraint configuration_versions_action_check CHECK ((action = ANY (ARRAY['created'::text, 'changed'::text, 'archived'::text, 'restored'::text, 'reverted'::text]))),
  constraint configuration_versions_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint configuration_versions_kind_check CHECK ((kind = ANY (ARRAY['institution'::text, 'system'::text, 'entity_type'::text, 'mapping'::text, 'rule'::text, 'code_table'::text, 'job'::text]))),
  constraint configuration_versions_pkey PRIMARY KEY (institution_id, kind, object_id, version)
);
alter table concord.configuration_versions enable row level security;
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
  constraint decision_batches_kind_check CHECK ((kind = ANY (ARRAY['decision'::text, 'release'::text, 'discard'::text, 'override'::text, 'replay'::text]))),
  constraint decision_batches_parent_run_id_fkey FOREIGN KEY (parent_run_id) REFERENCES concord.sync_runs(id),
  constraint decision_batches_pkey PRIMARY KEY (id),
  constraint decision_batches_settle_run_id_fkey FOREIGN KEY (settle_run_id) REFERENCES concord.sync_runs(id),
  constraint decision_batches_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'applied'::text, 'failed'::text, 'withdrawn'::text])))
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
  files jsonb not null default '[]'::jsonb,
  constraint deliveries_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint deliveries_pkey PRIMARY KEY (id),
  constraint deliveries_run_id_fkey FOREIGN KEY (run_id) REFERENCES concord.sync_runs(id),
  constraint deliveries_state_check CHECK ((state = ANY (ARRAY['seen'::text, 'accepted'::text, 'refused'::text, 'rolled_back'::text]))),
  constraint deliveries_system_id_digest_key UNIQUE (system_id, digest),
  constraint deliveries_system_id_fkey FOREIGN KEY (system_id) REFERENCES concord.data_source_configurations(id)
);
alter table concord.deliveries enable row level security;
create table concord.disclosures (
  id bigint not null generated always as identity,
  institution_id integer not null,
  golden_id bigint not null,
  groups text[] not null,
  identifiers text[] not null default '{}'::text[],
  actor text not null,
  reason text not null,
  disclosed_at timestamp with time zone not null default now(),
  subject_key bigint,
  constraint disclosures_golden_id_fkey FOREIGN KEY (golden_id) REFERENCES concord.golden_records(id),
  constraint disclosures_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint disclosures_pkey PRIMARY KEY (id)
);
alter table concord.disclosures enable row level security;
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
create table concord.event_tickets (
  secret_hash text not null,
  institution_id integer not null,
  caller jsonb not null,
  expires_at timestamp with time zone not null,
  constraint event_tickets_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint event_tickets_pkey PRIMARY KEY (secret_hash)
);
alter table concord.event_tickets enable row level security;
create table concord.events (
  id bigint not null generated always as identity,
  institution_id integer not null,
  "position" bigint,
  topic text not null,
  type text not null,
  run_id bigint,
  job_id integer,
  data jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint events_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint events_pkey PRIMARY KEY (id),
  constraint events_topic_check CHECK ((topic = ANY (ARRAY['run'::text, 'progress'::text, 'inbox'::text, 'held'::text, 'job'::text, 'delivery'::text])))
);
alter table concord.events enable row level security;
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
  superseded_at timestamp with time zone not null default now(),
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
create table concord.golden_words (
  golden_id bigint not null,
  word text collate "C" not null,
  institution_id integer not null,
  entity_type_id integer not null,
  subject_key bigint,
  constraint golden_words_pkey PRIMARY KEY (golden_id, word)
);
alter table concord.golden_words enable row level security;
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
  known_hash uuid,
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
create table concord.inquiries (
  id bigint not null generated always as identity,
  institution_id integer not null,
  kind text not null,
  subject text not null,
  parameters jsonb not null default '{}'::jsonb,
  state text not null default 'asked'::text,
  answer jsonb,
  error_code text,
  error_detail text,
  asked_by text not null,
  asked_at timestamp with time zone not null default now(),
  answered_at timestamp with time zone,
  constraint inquiries_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint inquiries_kind_check CHECK ((kind = ANY (ARRAY['connection_test'::text, 'discovery'::text, 'mapping_trial'::text]))),
  constraint inquiries_pkey PRIMARY KEY (id),
  constraint inquiries_state_check CHECK ((state = ANY (ARRAY['asked'::text, 'answered'::text, 'failed'::text])))
);
alter table concord.inquiries enable row level security;
create table concord.institutions (
  id integer not null generated always as identity,
  code text not null,
  name text not null,
  time_zone text not null,
  updated_by text not null,
  updated_at timestamp with time zone not null default now(),
  visibility jsonb,
  recipient_classes text[],
  version integer not null default 1,
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
  code_tables jsonb not null default '{}'::jsonb,
  derived_since integer,
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
  match_hash bigint,
  constraint record_images_pkey PRIMARY KEY (id)
) with (fillfactor=90);
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
  version integer not null default 1,
  corrected_key text collate "C",
  corrected_by text,
  corrected_at timestamp with time zone,
  correction_reason text,
  batch_id bigint,
  settle_run_id bigint,
  constraint rejected_records_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint rejected_records_kind_check CHECK ((kind = ANY (ARRAY['rejected'::text, 'waiting'::text]))),
  constraint rejected_records_mapping_id_fkey FOREIGN KEY (mapping_id) REFERENCES concord.cross_system_mappings(id),
  constraint rejected_records_pkey PRIMARY KEY (id),
  constraint rejected_records_run_id_fkey FOREIGN KEY (run_id) REFERENCES concord.sync_runs(id),
  constraint rejected_records_state_check CHECK ((state = ANY (ARRAY['open'::text, 'replaying'::text, 'resolved'::text])))
);
alter table concord.rejected_records enable row level security;
create unlogged table concord.remembered_rows (
  run_id bigint not null,
  mapping_id integer not null,
  block integer not null,
  institution_id integer not null,
  bytes bytea not null,
  constraint remembered_rows_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint remembered_rows_mapping_id_fkey FOREIGN KEY (mapping_id) REFERENCES concord.cross_system_mappings(id),
  constraint remembered_rows_pkey PRIMARY KEY (run_id, mapping_id, block),
  constraint remembered_rows_run_id_fkey FOREIGN KEY (run_id) REFERENCES concord.sync_runs(id)
);
alter table concord.remembered_rows enable row level security;
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
  authority text,
  reason text,
  placed_at timestamp with time zone not null default now(),
  release_reason text,
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
  recorded_at timestamp with time zone default clock_timestamp(),
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
  taken_at timestamp with time zone default clock_timestamp(),
  closed boolean not null default false,
  reading integer not null default 1,
  constraint run_leases_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint run_leases_pkey PRIMARY KEY (run_id, step, part),
  constraint run_leases_run_id_fkey FOREIGN KEY (run_id) REFERENCES concord.sync_runs(id)
);
alter table concord.run_leases enable row level security;
create table concord.run_metrics (
  institution_id integer not null,
  metric text not null,
  labels jsonb not null,
  value double precision not null,
  constraint run_metrics_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint run_metrics_pkey PRIMARY KEY (institution_id, metric, labels)
);
alter table concord.run_metrics enable row level security;
create table concord.run_requests (
  workflow_id text not null,
  institution_id integer not null,
  reason text not null,
  created_at timestamp with time zone not null default now(),
  constraint run_requests_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint run_requests_pkey PRIMARY KEY (workflow_id)
);
alter table concord.run_requests enable row level security;
create table concord.run_samples (
  run_id bigint not null,
  kind text not null,
  mapping_id integer not null,
  row_id bigint not null,
  institution_id integer not null,
  entity_type_id integer not null,
  golden_id bigint,
  operation text not null,
  outcome text not null,
  before jsonb,
  after jsonb,
  subject_key bigint,
  constraint run_samples_entity_type_id_fkey FOREIGN KEY (entity_type_id) REFERENCES concord.entity_types(id),
  constraint run_samples_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint run_samples_kind_check CHECK ((kind = ANY (ARRAY['golden'::text, 'target'::text]))),
  constraint run_samples_operation_check CHECK ((operation = ANY (ARRAY['insert'::text, 'update'::text, 'delete'::text]))),
  constraint run_samples_pkey PRIMARY KEY (run_id, kind, mapping_id, row_id),
  constraint run_samples_run_id_fkey FOREIGN KEY (run_id) REFERENCES concord.sync_runs(id) ON DELETE CASCADE
);
alter table concord.run_samples enable row level security;
create table concord.sessions (
  id bigint not null generated always as identity,
  institution_id integer not null,
  token_hash text not null,
  provider text not null,
  subject text not null,
  name text not null,
  role text not null,
  organisations text[] not null default '{}'::text[],
  grants jsonb not null,
  created_at timestamp with time zone not null,
  last_used_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  vouched_at timestamp with time zone not null,
  renewal text,
  constraint sessions_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint sessions_pkey PRIMARY KEY (id),
  constraint sessions_role_check CHECK ((role = ANY (ARRAY['secretary'::text, 'steward'::text, 'operator'::text, 'auditor'::text, 'admin'::text]))),
  constraint sessions_token_hash_key UNIQUE (token_hash)
);
alter table concord.sessions enable row level security;
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
  subject_key bigint,
  cancelled_by text,
  cancelled_at timestamp with time zone,
  cancel_reason text,
  reason text,
  reading integer not null default 1,
  constraint sync_runs_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint sync_runs_job_id_fkey FOREIGN KEY (job_id) REFERENCES concord.synchronization_jobs(id),
  constraint sync_runs_kind_check CHECK ((kind = ANY (ARRAY['sync'::text, 'decision'::text, 'release'::text, 'rollback'::text, 'due'::text, 'remap'::text, 'dry_run'::text]))),
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
  paused_reason text,
  paused_by text,
  paused_at timestamp with time zone,
  constraint synchronization_jobs_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint synchronization_jobs_institution_id_name_key UNIQUE (institution_id, name),
  constraint synchronization_jobs_paused CHECK ((num_nulls(paused_reason, paused_by, paused_at) = ANY (ARRAY[0, 3]))),
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
create table concord.uploads (
  id bigint not null generated always as identity,
  institution_id integer not null,
  system_id integer not null,
  digest text not null,
  files jsonb not null,
  manifest text,
  state text not null default 'open'::text,
  error_code text,
  reason text,
  actor text not null,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint uploads_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint uploads_pkey PRIMARY KEY (id),
  constraint uploads_state_check CHECK ((state = ANY (ARRAY['open'::text, 'received'::text, 'placed'::text, 'refused'::text]))),
  constraint uploads_system_id_fkey FOREIGN KEY (system_id) REFERENCES concord.data_source_configurations(id)
);
alter table concord.uploads enable row level security;
create table concord.watermarks (
  mapping_id integer not null,
  kind text not null,
  institution_id integer not null,
  value text not null,
  run_id bigint not null,
  constraint watermarks_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint watermarks_kind_check CHECK ((kind = ANY (ARRAY['read'::text, 'baseline'::text, 'mapped'::text, 'projected'::text, 'content'::text, 'rows'::text]))),
  constraint watermarks_mapping_id_fkey FOREIGN KEY (mapping_id) REFERENCES concord.cross_system_mappings(id),
  constraint watermarks_pkey PRIMARY KEY (mapping_id, kind),
  constraint watermarks_run_id_fkey FOREIGN KEY (run_id) REFERENCES concord.sync_runs(id)
);
alter table concord.watermarks enable row level security;
create table concord.webhook_receipts (
  system_id integer not null,
  webhook_id text not null,
  institution_id integer not null,
  received_at timestamp with time zone not null default now(),
  constraint webhook_receipts_institution_id_fkey FOREIGN KEY (institution_id) REFERENCES concord.institutions(id),
  constraint webhook_receipts_pkey PRIMARY KEY (system_id, webhook_id),
  constraint webhook_receipts_system_id_fkey FOREIGN KEY (system_id) REFERENCES concord.data_source_configurations(id)
);
alter table concord.webhook_receipts enable row level security;

-- views
create view concord.affiliations as
 SELECT a.subject_key,
    r.target_id AS organisation_id
   FROM (((concord.golden_records a
     JOIN concord.golden_references r ON ((r.golden_id = a.id)))
     JOIN concord.entity_types t ON ((t.id = a.entity_type_id)))
     JOIN concord.institutions i ON (((i.id = a.institution_id) AND ((i.visibility -> 'through'::text) ? ((t.name || '.'::text) || r.path)))))
  WHERE ((a.institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")) AND (a.subject_key IS NOT NULL) AND (a.subject_key <> a.id) AND (a.status = 'active'::text) AND ((a.valid_from IS NULL) OR (a.valid_from <= ( SELECT concord.shown_day() AS shown_day))) AND ((a.valid_to IS NULL) OR (a.valid_to >= ( SELECT concord.shown_day() AS shown_day))));
create view concord.organisations as
 SELECT g.id,
    g.entity_type_id,
    ((g."values"[p.code])::jsonb #>> '{}'::text[]) AS code,
    ((g."values"[p.name])::jsonb #>> '{}'::text[]) AS name,
    ((g."values"[p.parent])::jsonb #>> '{}'::text[]) AS parent
   FROM (((concord.institutions i
     JOIN concord.entity_types t ON (((t.institution_id = i.id) AND (t.name = (i.visibility ->> 'organisation'::text)))))
     CROSS JOIN LATERAL ( SELECT (max(e.n) FILTER (WHERE ((e.member ->> 'name'::text) = (i.visibility ->> 'code'::text))))::integer AS code,
            (max(e.n) FILTER (WHERE ((e.member ->> 'name'::text) = (i.visibility ->> 'name'::text))))::integer AS name,
            (max(e.n) FILTER (WHERE ((e.member ->> 'name'::text) = (i.visibility ->> 'parent'::text))))::integer AS parent
           FROM jsonb_array_elements((t.definition -> 'groups'::text)) WITH ORDINALITY e(member, n)) p)
     JOIN concord.golden_records g ON (((g.entity_type_id = t.id) AND (g.status = 'active'::text))))
  WHERE (i.id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif"));
create view concord.restricted_rows as
 SELECT mapping_id,
    source_key
   FROM concord.record_images i
  WHERE (main AND ((golden_id IN ( SELECT restrictions_in_force.golden_id
           FROM concord.restrictions_in_force)) OR (subject_key IN ( SELECT restrictions_in_force.golden_id
           FROM concord.restrictions_in_force))));
create view concord.restrictions_in_force as
 SELECT golden_id
   FROM concord.restrictions h
  WHERE ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")) AND (released_at IS NULL) AND (recipient_class = ANY (ARRAY['*'::text, ( SELECT concord.shown_class() AS shown_class)])) AND ((valid_from IS NULL) OR (valid_from <= ( SELECT concord.shown_day() AS shown_day))) AND ((valid_to IS NULL) OR (valid_to >= ( SELECT concord.shown_day() AS shown_day))));

-- indexes
CREATE INDEX api_keys_institution ON concord.api_keys USING btree (institution_id);
CREATE INDEX change_set_entries_golden ON concord.change_set_entries USING btree (run_id, golden_id) WHERE (golden_id IS NOT NULL);
CREATE INDEX change_set_entries_restored ON concord.change_set_entries USING btree (row_id) WHERE ((kind = 'golden'::text) AND (after IS NOT NULL));
CREATE INDEX cross_system_mappings_system ON concord.cross_system_mappings USING btree (system_id);
CREATE INDEX decision_batches_pending ON concord.decision_batches USING btree (job_id, id) WHERE (state = 'pending'::text);
CREATE INDEX deliveries_run ON concord.deliveries USING btree (run_id);
CREATE INDEX disclosures_golden ON concord.disclosures USING btree (golden_id);
CREATE INDEX events_created ON concord.events USING btree (created_at);
CREATE UNIQUE INDEX events_position ON concord.events USING btree (institution_id, "position");
CREATE INDEX findings_golden ON concord.findings USING btree (golden_id);
CREATE INDEX findings_run ON concord.findings USING btree (run_id, id);
CREATE INDEX golden_record_versions_run ON concord.golden_record_versions USING btree (superseded_run);
CREATE INDEX golden_records_created ON concord.golden_records USING brin (created_run);
CREATE INDEX golden_records_merged ON concord.golden_records USING btree (merged_into) WHERE (merged_into IS NOT NULL);
CREATE INDEX golden_records_subject ON concord.golden_records USING btree (subject_key) WHERE ((subject_key IS NOT NULL) AND (subject_key <> id));
CREATE INDEX golden_records_touched ON concord.golden_records USING btree (entity_type_id, updated_run) WHERE (updated_run <> created_run);
CREATE INDEX golden_references_target ON concord.golden_references USING btree (target_id);
CREATE INDEX golden_words_word ON concord.golden_words USING btree (entity_type_id, word, golden_id);
CREATE INDEX held_changes_inbox ON concord.held_changes USING btree (institution_id, state, id);
CREATE INDEX held_changes_mapping ON concord.held_changes USING btree (mapping_id);
CREATE UNIQUE INDEX held_changes_one_held ON concord.held_changes USING btree (job_id, cause, operation, COALESCE(mapping_id, 0)) WHERE (state = 'held'::text);
CREATE INDEX held_changes_run ON concord.held_changes USING btree (run_id);
CREATE INDEX inquiries_asked ON concord.inquiries USING btree (institution_id, asked_at);
CREATE INDEX outbox_undelivered ON concord.outbox USING btree (id) WHERE (delivered_at IS NULL);
CREATE INDEX record_identifiers_value ON concord.record_identifiers USING btree (entity_type_id, value, scheme);
CREATE INDEX record_images_created ON concord.record_images USING brin (created_run);
CREATE INDEX record_images_golden ON concord.record_images USING btree (golden_id);
CREATE UNIQUE INDEX record_images_key ON concord.record_images USING btree (mapping_id, entity_type_id, source_key, sub_key);
CREATE INDEX record_images_untold ON concord.record_images USING btree (mapping_id) WHERE untold;
CREATE INDEX rejected_records_batch ON concord.rejected_records USING btree (batch_id) WHERE (batch_id IS NOT NULL);
CREATE INDEX rejected_records_corrected ON concord.rejected_records USING btree (mapping_id, source_key) WHERE (corrected IS NOT NULL);
CREATE INDEX rejected_records_key ON concord.rejected_records USING btree (institution_id, source_key);
CREATE INDEX rejected_records_run ON concord.rejected_records USING btree (run_id, id);
CREATE INDEX rejected_records_settled ON concord.rejected_records USING btree (settle_run_id) WHERE (settle_run_id IS NOT NULL);
CREATE INDEX rejected_records_waiting ON concord.rejected_records USING btree (mapping_id, source_key) WHERE ((kind = 'waiting'::text) AND (state = 'open'::text));
CREATE INDEX remembered_rows_mapping ON concord.remembered_rows USING btree (mapping_id);
CREATE INDEX restrictions_record ON concord.restrictions USING btree (golden_id);
CREATE UNIQUE INDEX restrictions_standing ON concord.restrictions USING btree (golden_id, recipient_class) WHERE (released_at IS NULL);
CREATE INDEX restrictions_subject ON concord.restrictions USING btree (subject_key) WHERE (subject_key IS NOT NULL);
CREATE INDEX rolled_back_inputs_run ON concord.rolled_back_inputs USING btree (rollback_run_id);
CREATE INDEX run_samples_subject ON concord.run_samples USING btree (subject_key) WHERE (subject_key IS NOT NULL);
CREATE INDEX sessions_institution ON concord.sessions USING btree (institution_id, expires_at);
CREATE INDEX sync_conflict_resolutions_batch ON concord.sync_conflict_resolutions USING btree (batch_id);
CREATE INDEX sync_conflict_resolutions_golden ON concord.sync_conflict_resolutions USING btree (golden_id);
CREATE INDEX sync_conflict_resolutions_inbox ON concord.sync_conflict_resolutions USING btree (institution_id, state, id);
CREATE UNIQUE INDEX sync_conflict_resolutions_one_open ON concord.sync_conflict_resolutions USING btree (golden_id, kind, group_name, COALESCE(image_id, (0)::bigint)) WHERE (state = 'open'::text);
CREATE INDEX sync_conflict_resolutions_open ON concord.sync_conflict_resolutions USING btree (institution_id, job_id, kind, due_at, created_at, golden_id) WHERE (state = 'open'::text);
CREATE INDEX sync_conflict_resolutions_run ON concord.sync_conflict_resolutions USING btree (opened_run);
CREATE INDEX sync_runs_active ON concord.sync_runs USING btree (institution_id) WHERE (finished_at IS NULL);
CREATE INDEX sync_runs_job ON concord.sync_runs USING btree (institution_id, job_id, id);
CREATE UNIQUE INDEX sync_runs_one_active_per_job ON concord.sync_runs USING btree (job_id) WHERE ((kind = 'sync'::text) AND (finished_at IS NULL) AND (subject_key IS NULL));
CREATE INDEX sync_runs_parent ON concord.sync_runs USING btree (parent_run_id);
CREATE INDEX sync_runs_rolled_back_by ON concord.sync_runs USING btree (rolled_back_by);
CREATE INDEX target_due_golden ON concord.target_due USING btree (golden_id);
CREATE INDEX target_pending_run ON concord.target_pending USING btree (run_id);
CREATE UNIQUE INDEX uploads_one_of_a_digest ON concord.uploads USING btree (system_id, digest) WHERE (state <> 'refused'::text);

-- policies
create policy institution on concord.api_keys for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.change_set_entries for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy shown on concord.change_set_entries as restrictive for all to concord_api using ((( SELECT concord.shows_all() AS shows_all) OR (kind = ANY (ARRAY['watermark'::text, 'input'::text])) OR (EXISTS ( SELECT
   FROM concord.golden_records g
  WHERE (g.id =
        CASE
            WHEN ((g.subject_key IS NULL) AND (change_set_entries.kind = ANY (ARRAY['golden'::text, 'target'::text]))) THEN change_set_entries.row_id
            ELSE g.subject_key
        END)))));
create policy institution on concord.change_sets for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.code_tables for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.configuration_versions for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.cross_system_mappings for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.data_quality_rules for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.data_source_configurations for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.decision_batches for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.deliveries for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.disclosures for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy shown on concord.disclosures as restrictive for all to concord_api using ((( SELECT concord.shows_all() AS shows_all) OR (EXISTS ( SELECT
   FROM concord.golden_records g
  WHERE (g.id = disclosures.golden_id)))));
create policy institution on concord.entity_types for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.event_tickets for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.events for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.findings for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy shown on concord.findings as restrictive for all to concord_api using ((( SELECT concord.shows_all() AS shows_all) OR ((golden_id IS NOT NULL) AND (EXISTS ( SELECT
   FROM concord.golden_records g
  WHERE (g.id = findings.golden_id)))) OR ((golden_id IS NULL) AND ((source_key IS NULL) OR ((( SELECT (concord.shown_organisations() IS NULL)) OR (EXISTS ( SELECT
   FROM concord.record_images i
  WHERE ((i.mapping_id = findings.mapping_id) AND (i.source_key = findings.source_key) AND i.main AND (i.entity_type_id = ANY (ARRAY( SELECT e.id
           FROM concord.entity_types e))))))) AND (( SELECT (concord.shown_class() IS NULL)) OR (NOT (EXISTS ( SELECT
   FROM concord.restricted_rows r
  WHERE ((r.mapping_id = findings.mapping_id) AND (r.source_key = findings.source_key)))))))))));
create policy institution on concord.golden_record_versions for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy shown on concord.golden_record_versions as restrictive for all to concord_api using ((( SELECT concord.shows_all() AS shows_all) OR (EXISTS ( SELECT
   FROM concord.golden_records g
  WHERE (g.id = golden_record_versions.golden_id)))));
create policy institution on concord.golden_records for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy shown on concord.golden_records as restrictive for all to concord_api using ((( SELECT concord.shows_all() AS shows_all) OR ((( SELECT (concord.shown_organisations() IS NULL)) OR ((subject_key IS NULL) AND (entity_type_id IN ( SELECT t.id
   FROM concord.entity_types t
  WHERE ((t.definition ->> 'subject'::text) = 'none'::text)))) OR (EXISTS ( SELECT
   FROM concord.affiliations a
  WHERE ((a.subject_key = golden_records.subject_key) AND (a.organisation_id = ANY (( SELECT concord.shown_organisations() AS shown_organisations)::bigint[])))))) AND (( SELECT (concord.shown_class() IS NULL)) OR ((NOT (EXISTS ( SELECT
   FROM concord.restrictions_in_force h
  WHERE (h.golden_id = golden_records.id)))) AND (NOT (EXISTS ( SELECT
   FROM concord.restrictions_in_force h
  WHERE (h.golden_id = golden_records.subject_key)))))))));
create policy institution on concord.golden_references for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy shown on concord.golden_references as restrictive for all to concord_api using ((( SELECT concord.shows_all() AS shows_all) OR (EXISTS ( SELECT
   FROM concord.golden_records g
  WHERE (g.id = golden_references.golden_id)))));
create policy institution on concord.golden_words for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy shown on concord.golden_words as restrictive for all to concord_api using ((( SELECT concord.shows_all() AS shows_all) OR (EXISTS ( SELECT
   FROM concord.golden_records g
  WHERE (g.id = golden_words.golden_id)))));
create policy institution on concord.held_changes for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.held_rows for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy shown on concord.held_rows as restrictive for all to concord_api using ((( SELECT concord.shows_all() AS shows_all) OR ((source_key IS NULL) OR ((( SELECT (concord.shown_organisations() IS NULL)) OR (EXISTS ( SELECT
   FROM concord.record_images i
  WHERE ((i.mapping_id = held_rows.mapping_id) AND (i.source_key = held_rows.source_key) AND i.main AND (i.entity_type_id = ANY (ARRAY( SELECT e.id
           FROM concord.entity_types e))))))) AND (( SELECT (concord.shown_class() IS NULL)) OR (NOT (EXISTS ( SELECT
   FROM concord.restricted_rows r
  WHERE ((r.mapping_id = held_rows.mapping_id) AND (r.source_key = held_rows.source_key))))))))));
create policy institution on concord.idempotency_keys for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.inquiries for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.institutions for all to public using ((id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.mapping_versions for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.outbox for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.record_identifiers for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy shown on concord.record_identifiers as restrictive for all to concord_api using ((( SELECT concord.shows_all() AS shows_all) OR (EXISTS ( SELECT
   FROM concord.record_images i
  WHERE (i.id = record_identifiers.image_id)))));
create policy institution on concord.record_images for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy shown on concord.record_images as restrictive for all to concord_api using ((( SELECT concord.shows_all() AS shows_all) OR (EXISTS ( SELECT
   FROM concord.golden_records g
  WHERE (g.id = record_images.golden_id)))));
create policy institution on concord.rejected_records for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy shown on concord.rejected_records as restrictive for all to concord_api using ((( SELECT concord.shows_all() AS shows_all) OR ((source_key IS NULL) OR ((( SELECT (concord.shown_organisations() IS NULL)) OR (EXISTS ( SELECT
   FROM concord.record_images i
  WHERE ((i.mapping_id = rejected_records.mapping_id) AND (i.source_key = rejected_records.source_key) AND i.main AND (i.entity_type_id = ANY (ARRAY( SELECT e.id
           FROM concord.entity_types e))))))) AND (( SELECT (concord.shown_class() IS NULL)) OR (NOT (EXISTS ( SELECT
   FROM concord.restricted_rows r
  WHERE ((r.mapping_id = rejected_records.mapping_id) AND (r.source_key = rejected_records.source_key))))))))));
create policy institution on concord.remembered_rows for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.restrictions for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy shown on concord.restrictions as restrictive for all to concord_api using ((( SELECT concord.shows_all() AS shows_all) OR (EXISTS ( SELECT
   FROM concord.golden_records g
  WHERE (g.id = restrictions.golden_id)))));
create policy institution on concord.rolled_back_inputs for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.run_chunks for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.run_leases for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.run_metrics for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.run_requests for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.run_samples for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy shown on concord.run_samples as restrictive for all to concord_api using ((( SELECT concord.shows_all() AS shows_all) OR (EXISTS ( SELECT
   FROM concord.golden_records g
  WHERE (g.id = run_samples.golden_id)))));
create policy institution on concord.sessions for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.sync_conflict_resolutions for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy shown on concord.sync_conflict_resolutions as restrictive for all to concord_api using ((( SELECT concord.shows_all() AS shows_all) OR (EXISTS ( SELECT
   FROM concord.golden_records g
  WHERE (g.id = sync_conflict_resolutions.golden_id)))));
create policy institution on concord.sync_runs for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.synchronization_jobs for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.target_due for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy shown on concord.target_due as restrictive for all to concord_api using ((( SELECT concord.shows_all() AS shows_all) OR (EXISTS ( SELECT
   FROM concord.golden_records g
  WHERE (g.id = target_due.golden_id)))));
create policy institution on concord.target_files for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.target_pending for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.uploads for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.watermarks for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));
create policy institution on concord.webhook_receipts for all to public using ((institution_id = ( SELECT (NULLIF(current_setting('concord.institution'::text, true), ''::text))::integer AS "nullif")));

-- triggers
CREATE TRIGGER tell AFTER INSERT OR UPDATE ON concord.deliveries FOR EACH ROW EXECUTE FUNCTION concord.tell_delivery();
CREATE CONSTRAINT TRIGGER number_at_commit AFTER INSERT ON concord.events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION concord.number_event();
CREATE TRIGGER tell AFTER INSERT OR UPDATE ON concord.held_changes FOR EACH ROW EXECUTE FUNCTION concord.tell_held();
CREATE TRIGGER tell AFTER INSERT OR UPDATE ON concord.run_chunks FOR EACH ROW WHEN (((new.state = 'done'::text) AND (new.step <> ALL (ARRAY['plan'::text, 'dispositions'::text, 'mapped'::text, 'post_rows'::text])))) EXECUTE FUNCTION concord.tell_chunk();
CREATE TRIGGER tell_changed AFTER UPDATE ON concord.sync_conflict_resolutions REFERENCING OLD TABLE AS was NEW TABLE AS became FOR EACH STATEMENT EXECUTE FUNCTION concord.tell_changed_questions();
CREATE TRIGGER tell_opened AFTER INSERT ON concord.sync_conflict_resolutions REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION concord.tell_opened_questions();
CREATE TRIGGER measure AFTER INSERT OR UPDATE OF finished_at ON concord.sync_runs FOR EACH ROW WHEN ((new.kind <> 'dry_run'::text)) EXECUTE FUNCTION concord.measure_run();
CREATE TRIGGER tell AFTER INSERT OR UPDATE OF state, finished_at, rolled_back_by ON concord.sync_runs FOR EACH ROW EXECUTE FUNCTION concord.tell_run();
CREATE TRIGGER tell AFTER INSERT OR UPDATE ON concord.synchronization_jobs FOR EACH ROW EXECUTE FUNCTION concord.tell_job();
CREATE TRIGGER tell AFTER UPDATE ON concord.uploads FOR EACH ROW EXECUTE FUNCTION concord.tell_upload();

-- functions
CREATE OR REPLACE FUNCTION concord.configuration_fingerprint(wanted integer)
 RETURNS text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$
    select md5(string_agg(part, ';' order by part)) from (
      select concat_ws(':', 'institution', id, version) as part from institutions where id = wanted
      union all select concat_ws(':', 'system', id, version, archived) from data_source_configurations where institution_id = wanted
      union all select concat_ws(':', 'type', id, version, archived) from entity_types where institution_id = wanted
      union all select concat_ws(':', 'mapping', id, version, archived) from cross_system_mappings where institution_id = wanted
      union all select concat_ws(':', 'codes', id, version, archived) from code_tables where institution_id = wanted
      union all select concat_ws(':', 'job', id, version, archived) from synchronization_jobs where institution_id = wanted
    ) parts
  $function$;
CREATE OR REPLACE FUNCTION concord.count_words(type_id integer, beginnings text[], most integer)
 RETURNS TABLE(beginning text, found integer)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$
  select b.beginning, (
    select count(*)::integer from (
      select from concord.golden_words w
      where w.institution_id = nullif(current_setting('concord.institution', true), '')::integer
        and w.entity_type_id = type_id and w.word >= b.beginning and w.word < b.beginning || chr(1114111) limit most) x)
  from unnest(beginnings) as b (beginning)
  $function$;
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
CREATE OR REPLACE FUNCTION concord.forget_passed()
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$
    delete from concord.events where created_at < now() - interval '1 day';
    delete from concord.event_tickets where expires_at < now() - interval '1 hour';
    delete from concord.webhook_receipts where received_at < now() - interval '1 day';
    delete from concord.idempotency_keys where created_at < now() - interval '2 days';
    delete from concord.run_samples s using concord.sync_runs r where r.id = s.run_id and r.started_at < now() - interval '7 days';
  $function$;
CREATE OR REPLACE FUNCTION concord.holder_of_key(wanted text)
 RETURNS TABLE(id integer, institution_id integer, secret_hash text, role text, name text, expires_at timestamp with time zone, revoked_at timestamp with time zone, organisations text[], last_used_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$
    select k.id, k.institution_id, k.secret_hash, k.role, k.name, k.expires_at, k.revoked_at, k.organisations, k.last_used_at
    from concord.api_keys k where k.prefix = wanted
  $function$;
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
CREATE OR REPLACE FUNCTION concord.institution_of_system(wanted integer)
 RETURNS integer
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$ select institution_id from concord.data_source_configurations where id = wanted and not archived $function$;
CREATE OR REPLACE FUNCTION concord.mark_due(wanted bigint, days date[])
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$
  with recursive reading (id, depth) as (
    select g.id, 0 from concord.golden_records g
    where g.id = wanted and g.institution_id = nullif(current_setting('concord.institution', true), '')::integer
    union
    select r.golden_id, n.depth + 1 from reading n join concord.golden_references r on r.target_id = n.id where n.depth < 4)
  insert into concord.target_due (golden_id, mapping_id, due, institution_id, subject_key)
  select distinct g.id, m.id, d.day, g.institution_id, g.subject_key
  from reading n
    join concord.golden_records g on g.id = n.id
    join concord.entity_types t on t.id = g.entity_type_id
    join concord.cross_system_mappings m on m.institution_id = g.institution_id and m.definition -> 'target' ->> 'root' = t.name and not m.archived
    join concord.watermarks w on w.mapping_id = m.id and w.kind = 'baseline'
    cross join unnest(days) d (day)
  on conflict do nothing
  $function$;
CREATE OR REPLACE FUNCTION concord.measure_run()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'concord', 'pg_temp'
AS $function$
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
  end $function$;
CREATE OR REPLACE FUNCTION concord.measures_of_run(run concord.sync_runs)
 RETURNS TABLE(metric text, labels jsonb, value double precision)
 LANGUAGE sql
 STABLE
 SET search_path TO 'concord', 'pg_temp'
AS $function$
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
  $function$;
CREATE OR REPLACE FUNCTION concord.migration_applied(wanted text)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$ select exists (select from public.concord_migrations m where m.name = wanted) $function$;
CREATE OR REPLACE FUNCTION concord.number_event()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$
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
  end $function$;
CREATE OR REPLACE FUNCTION concord.open_dry_run(wanted bigint)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$
  declare name text := 'dry_run_' || wanted;
  begin
    if not exists (select from concord.sync_runs r where r.id = wanted and r.kind = 'dry_run' and r.finished_at is null
        and r.institution_id = nullif(current_setting('concord.institution', true), '')::integer) then
      raise exception 'run % is no dry run that is at work', wanted;
    end if;
    execute format('drop schema if exists %I cascade', name);
    execute format('create schema %I authorization concord_worker', name);
    return name;
  end $function$;
CREATE OR REPLACE FUNCTION concord.operational_metrics()
 RETURNS TABLE(metric text, labels jsonb, value double precision)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$
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
  $function$;
CREATE OR REPLACE FUNCTION concord.plain_word(word text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'concord', 'pg_temp'
AS $function$ select case when word ~ '^[A-Za-z0-9_.-]{1,100}$' then word else 'other' end $function$;
CREATE OR REPLACE FUNCTION concord.present_institutions(after integer, most integer)
 RETURNS TABLE(id integer, code text, name text, time_zone text, has_keys boolean)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$
    select i.id, i.code, i.name, i.time_zone, exists (select from concord.api_keys k where k.institution_id = i.id)
    from concord.institutions i where i.id > after order by i.id limit most
  $function$;
CREATE OR REPLACE FUNCTION concord.redeem_ticket(wanted text, at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$
  declare found_caller jsonb;
  begin
    delete from event_tickets where secret_hash = wanted returning case when expires_at > at then caller end into found_caller;
    return found_caller;
  end $function$;
CREATE OR REPLACE FUNCTION concord.session_by_token(wanted text)
 RETURNS TABLE(id bigint, institution_id integer)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$ select s.id, s.institution_id from concord.sessions s where s.token_hash = wanted $function$;
CREATE OR REPLACE FUNCTION concord.show_to(reader text, codes text[], moment timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
AS $function$
  declare
    house concord.institutions;
    ids bigint[];
  begin
    select * into house from concord.institutions where id = nullif(current_setting('concord.institution', true), '')::integer;
    perform set_config('concord.day', (moment at time zone house.time_zone)::date::text, true);
    perform set_config('concord.reader', case when reader = 'steward' then '' else coalesce(house.visibility -> 'readers' ->> reader, '*') end, true);
    if cardinality(codes) = 0 then
      perform set_config('concord.organisations', '', true);
      return;
    end if;
    with recursive below as (
      select o.id, o.code from concord.organisations o where o.code = any (codes)
      union
      select o.id, o.code from concord.organisations o join below b on o.parent = b.code)
    select coalesce(array_agg(id), '{}') into ids from below;
    perform set_config('concord.organisations', ids::text, true);
  end $function$;
CREATE OR REPLACE FUNCTION concord.shown_class()
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$ select nullif(current_setting('concord.reader', true), '') $function$;
CREATE OR REPLACE FUNCTION concord.shown_day()
 RETURNS date
 LANGUAGE sql
 STABLE
AS $function$ select nullif(current_setting('concord.day', true), '')::date $function$;
CREATE OR REPLACE FUNCTION concord.shown_organisations()
 RETURNS bigint[]
 LANGUAGE sql
 STABLE
AS $function$ select nullif(current_setting('concord.organisations', true), '')::bigint[] $function$;
CREATE OR REPLACE FUNCTION concord.shows_all()
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$ select concord.shown_organisations() is null and concord.shown_class() is null $function$;
CREATE OR REPLACE FUNCTION concord.summarize_records()
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'concord', 'pg_temp'
 SET lock_timeout TO '100ms'
AS $function$
  begin
    perform brin_summarize_new_values('concord.golden_records_created');
  exception when lock_not_available then
    null;
  end
  $function$;
CREATE OR REPLACE FUNCTION concord.tell_changed_questions()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'concord', 'pg_temp'
AS $function$
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
  end $function$;
CREATE OR REPLACE FUNCTION concord.tell_chunk()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'concord', 'pg_temp'
AS $function$
  begin
    insert into events (institution_id, topic, type, run_id, job_id, data)
    select new.institution_id, 'progress', 'concord.job.progressed', r.id, r.job_id,
      jsonb_build_object('kind', r.kind, 'state', r.state, 'step', new.step, 'part', new.part, 'chunk', new.chunk)
    from sync_runs r where r.id = new.run_id;
    return null;
  end $function$;
CREATE OR REPLACE FUNCTION concord.tell_delivery()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'concord', 'pg_temp'
AS $function$
  begin
    if tg_op = 'UPDATE' and old.state = new.state then
      return null;
    end if;
    insert into events (institution_id, topic, type, run_id, data)
    values (new.institution_id, 'delivery', 'concord.delivery.' || new.state, new.run_id,
      jsonb_strip_nulls(jsonb_build_object('deliveryId', new.id::text, 'systemId', new.system_id::text, 'errorCode', new.error_code)));
    return null;
  end $function$;
CREATE OR REPLACE FUNCTION concord.tell_held()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'concord', 'pg_temp'
AS $function$
  begin
    if tg_op = 'UPDATE' and old.state = new.state and old.version = new.version then
      return null;
    end if;
    insert into events (institution_id, topic, type, run_id, job_id, data)
    values (new.institution_id, 'held', 'concord.change.' || case
        when tg_op = 'UPDATE' and old.state = new.state then 'changed' else new.state end, new.run_id, new.job_id,
      jsonb_build_object('heldChangeId', new.id::text, 'cause', new.cause, 'operation', new.operation, 'rows', new.row_count));
    return null;
  end $function$;
CREATE OR REPLACE FUNCTION concord.tell_job()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'concord', 'pg_temp'
AS $function$
  begin
    insert into events (institution_id, topic, type, job_id, data)
    values (new.institution_id, 'job', 'concord.job.updated', new.id,
      jsonb_build_object('version', new.version, 'archived', new.archived, 'paused', new.paused_at is not null));
    return null;
  end $function$;
CREATE OR REPLACE FUNCTION concord.tell_opened_questions()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'concord', 'pg_temp'
AS $function$
  begin
    insert into events (institution_id, topic, type, run_id, job_id, data)
    select n.institution_id, 'inbox', 'concord.conflict.opened', n.opened_run, n.job_id,
      jsonb_build_object('count', count(*), 'ids', to_jsonb((array_agg(n.id::text order by n.id))[1:20]))
    from made n where n.state = 'open' group by n.institution_id, n.opened_run, n.job_id;
    return null;
  end $function$;
CREATE OR REPLACE FUNCTION concord.tell_run()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'concord', 'pg_temp'
AS $function$
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
  end $function$;
CREATE OR REPLACE FUNCTION concord.tell_upload()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'concord', 'pg_temp'
AS $function$
  begin
    if old.state = new.state then
      return null;
    end if;
    insert into events (institution_id, topic, type, data)
    values (new.institution_id, 'delivery', 'concord.upload.' || new.state,
      jsonb_strip_nulls(jsonb_build_object('uploadId', new.id::text, 'systemId', new.system_id::text, 'errorCode', new.error_code)));
    return null;
  end $function$;
CREATE OR REPLACE FUNCTION concord.trigger_of(actor text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'concord', 'pg_temp'
AS $function$ select case when split_part(actor, ':', 1) in ('schedule', 'review', 'secretary', 'steward', 'operator', 'auditor', 'admin')
    then split_part(actor, ':', 1) else 'other' end $function$;
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
CREATE OR REPLACE FUNCTION concord.wake_jobs_of_system(wanted integer, told_by text)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'concord', 'pg_temp'
AS $function$
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
  end $function$;

-- grants
grant create, usage on schema staging to concord_worker;
grant delete, insert, maintain, select, update on table concord.golden_records to concord_worker;
grant delete, insert, maintain, select, update on table concord.golden_references to concord_worker;
grant delete, insert, maintain, select, update on table concord.golden_words to concord_worker;
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
grant delete, insert, select, update on table concord.configuration_versions to concord_api;
grant delete, insert, select, update on table concord.configuration_versions to concord_worker;
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
grant delete, insert, select, update on table concord.disclosures to concord_api;
grant delete, insert, select, update on table concord.disclosures to concord_worker;
grant delete, insert, select, update on table concord.entity_types to concord_api;
grant delete, insert, select, update on table concord.entity_types to concord_worker;
grant delete, insert, select, update on table concord.event_tickets to concord_api;
grant delete, insert, select, update on table concord.event_tickets to concord_worker;
grant delete, insert, select, update on table concord.events to concord_api;
grant delete, insert, select, update on table concord.events to concord_worker;
grant delete, insert, select, update on table concord.findings to concord_api;
grant delete, insert, select, update on table concord.findings to concord_worker;
grant delete, insert, select, update on table concord.golden_record_versions to concord_api;
grant delete, insert, select, update on table concord.golden_record_versions to concord_worker;
grant delete, insert, select, update on table concord.golden_records to concord_api;
grant delete, insert, select, update on table concord.golden_references to concord_api;
grant delete, insert, select, update on table concord.golden_words to concord_api;
grant delete, insert, select, update on table concord.held_changes to concord_api;
grant delete, insert, select, update on table concord.held_changes to concord_worker;
grant delete, insert, select, update on table concord.held_rows to concord_api;
grant delete, insert, select, update on table concord.held_rows to concord_worker;
grant delete, insert, select, update on table concord.idempotency_keys to concord_api;
grant delete, insert, select, update on table concord.idempotency_keys to concord_worker;
grant delete, insert, select, update on table concord.inquiries to concord_api;
grant delete, insert, select, update on table concord.inquiries to concord_worker;
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
grant delete, insert, select, update on table concord.remembered_rows to concord_api;
grant delete, insert, select, update on table concord.remembered_rows to concord_worker;
grant delete, insert, select, update on table concord.restrictions to concord_api;
grant delete, insert, select, update on table concord.restrictions to concord_worker;
grant delete, insert, select, update on table concord.rolled_back_inputs to concord_api;
grant delete, insert, select, update on table concord.rolled_back_inputs to concord_worker;
grant delete, insert, select, update on table concord.run_chunks to concord_api;
grant delete, insert, select, update on table concord.run_chunks to concord_worker;
grant delete, insert, select, update on table concord.run_leases to concord_api;
grant delete, insert, select, update on table concord.run_leases to concord_worker;
grant delete, insert, select, update on table concord.run_metrics to concord_api;
grant delete, insert, select, update on table concord.run_metrics to concord_worker;
grant delete, insert, select, update on table concord.run_requests to concord_api;
grant delete, insert, select, update on table concord.run_requests to concord_worker;
grant delete, insert, select, update on table concord.run_samples to concord_api;
grant delete, insert, select, update on table concord.run_samples to concord_worker;
grant delete, insert, select, update on table concord.sessions to concord_api;
grant delete, insert, select, update on table concord.sessions to concord_worker;
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
grant delete, insert, select, update on table concord.uploads to concord_api;
grant delete, insert, select, update on table concord.uploads to concord_worker;
grant delete, insert, select, update on table concord.watermarks to concord_api;
grant delete, insert, select, update on table concord.watermarks to concord_worker;
grant delete, insert, select, update on table concord.webhook_receipts to concord_api;
grant delete, insert, select, update on table concord.webhook_receipts to concord_worker;
grant execute on function concord.configuration_fingerprint(integer) to concord_api;
grant execute on function concord.configuration_fingerprint(integer) to concord_worker;
grant execute on function concord.count_words(integer,text[],integer) to concord_api;
grant execute on function concord.ensure_institution(text,text,text,text) to concord_api;
grant execute on function concord.ensure_institution(text,text,text,text) to concord_worker;
grant execute on function concord.forget_passed() to concord_api;
grant execute on function concord.forget_passed() to concord_worker;
grant execute on function concord.holder_of_key(text) to concord_api;
grant execute on function concord.holder_of_key(text) to concord_worker;
grant execute on function concord.institution_by_code(text) to concord_api;
grant execute on function concord.institution_by_code(text) to concord_worker;
grant execute on function concord.institution_of_job(integer) to concord_api;
grant execute on function concord.institution_of_job(integer) to concord_worker;
grant execute on function concord.institution_of_run(bigint) to concord_api;
grant execute on function concord.institution_of_run(bigint) to concord_worker;
grant execute on function concord.institution_of_system(integer) to concord_api;
grant execute on function concord.institution_of_system(integer) to concord_worker;
grant execute on function concord.mark_due(bigint,date[]) to concord_api;
grant execute on function concord.measure_run() to concord_api;
grant execute on function concord.measure_run() to concord_worker;
grant execute on function concord.measures_of_run(concord.sync_runs) to concord_api;
grant execute on function concord.measures_of_run(concord.sync_runs) to concord_worker;
grant execute on function concord.migration_applied(text) to concord_api;
grant execute on function concord.migration_applied(text) to concord_worker;
grant execute on function concord.open_dry_run(bigint) to concord_worker;
grant execute on function concord.operational_metrics() to concord_worker;
grant execute on function concord.plain_word(text) to concord_api;
grant execute on function concord.plain_word(text) to concord_worker;
grant execute on function concord.present_institutions(integer,integer) to concord_api;
grant execute on function concord.present_institutions(integer,integer) to concord_worker;
grant execute on function concord.redeem_ticket(text,timestamp with time zone) to concord_api;
grant execute on function concord.redeem_ticket(text,timestamp with time zone) to concord_worker;
grant execute on function concord.session_by_token(text) to concord_api;
grant execute on function concord.session_by_token(text) to concord_worker;
grant execute on function concord.show_to(text,text[],timestamp with time zone) to concord_api;
grant execute on function concord.shown_class() to concord_api;
grant execute on function concord.shown_class() to concord_worker;
grant execute on function concord.shown_day() to concord_api;
grant execute on function concord.shown_day() to concord_worker;
grant execute on function concord.shown_organisations() to concord_api;
grant execute on function concord.shown_organisations() to concord_worker;
grant execute on function concord.shows_all() to concord_api;
grant execute on function concord.shows_all() to concord_worker;
grant execute on function concord.summarize_records() to concord_worker;
grant execute on function concord.trigger_of(text) to concord_api;
grant execute on function concord.trigger_of(text) to concord_worker;
grant execute on function concord.undelivered_outbox(integer) to concord_api;
grant execute on function concord.undelivered_outbox(integer) to concord_worker;
grant execute on function concord.unfinished_runs() to concord_api;
grant execute on function concord.unfinished_runs() to concord_worker;
grant execute on function concord.wake_jobs_of_system(integer,text) to concord_api;
grant execute on function concord.wake_jobs_of_system(integer,text) to concord_worker;
grant select on table concord.affiliations to concord_api;
grant select on table concord.organisations to concord_api;
grant select on table concord.restricted_rows to concord_api;
grant select on table concord.restrictions_in_force to concord_api;
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
grant usage on sequence concord.disclosures_id_seq to concord_api;
grant usage on sequence concord.disclosures_id_seq to concord_worker;
grant usage on sequence concord.entity_types_id_seq to concord_api;
grant usage on sequence concord.entity_types_id_seq to concord_worker;
grant usage on sequence concord.event_positions to concord_api;
grant usage on sequence concord.event_positions to concord_worker;
grant usage on sequence concord.events_id_seq to concord_api;
grant usage on sequence concord.events_id_seq to concord_worker;
grant usage on sequence concord.findings_id_seq to concord_api;
grant usage on sequence concord.findings_id_seq to concord_worker;
grant usage on sequence concord.golden_ids to concord_api;
grant usage on sequence concord.golden_ids to concord_worker;
grant usage on sequence concord.held_changes_id_seq to concord_api;
grant usage on sequence concord.held_changes_id_seq to concord_worker;
grant usage on sequence concord.image_ids to concord_api;
grant usage on sequence concord.image_ids to concord_worker;
grant usage on sequence concord.inquiries_id_seq to concord_api;
grant usage on sequence concord.inquiries_id_seq to concord_worker;
grant usage on sequence concord.institutions_id_seq to concord_api;
grant usage on sequence concord.institutions_id_seq to concord_worker;
grant usage on sequence concord.outbox_id_seq to concord_api;
grant usage on sequence concord.outbox_id_seq to concord_worker;
grant usage on sequence concord.rejected_records_id_seq to concord_api;
grant usage on sequence concord.rejected_records_id_seq to concord_worker;
grant usage on sequence concord.restrictions_id_seq to concord_api;
grant usage on sequence concord.restrictions_id_seq to concord_worker;
grant usage on sequence concord.sessions_id_seq to concord_api;
grant usage on sequence concord.sessions_id_seq to concord_worker;
grant usage on sequence concord.sync_conflict_resolutions_id_seq to concord_api;
grant usage on sequence concord.sync_conflict_resolutions_id_seq to concord_worker;
grant usage on sequence concord.sync_runs_id_seq to concord_api;
grant usage on sequence concord.sync_runs_id_seq to concord_worker;
grant usage on sequence concord.synchronization_jobs_id_seq to concord_api;
grant usage on sequence concord.synchronization_jobs_id_seq to concord_worker;
grant usage on sequence concord.uploads_id_seq to concord_api;
grant usage on sequence concord.uploads_id_seq to concord_worker;
