-- Who changed what of the configuration and when; jobs that people pause; questions that people ask a system.

alter table concord.institutions
  add column recipient_classes text[],
  add column version integer not null default 1;

alter table concord.synchronization_jobs
  add column paused_reason text,
  add column paused_by text,
  add column paused_at timestamptz,
  add constraint synchronization_jobs_paused
    check (num_nulls(paused_reason, paused_by, paused_at) in (0, 3));

-- By which versions of code tables a version of a mapping read; a table that is not named is read as it is now.
alter table concord.mapping_versions add column code_tables jsonb not null default '{}';

-- Every version of everything configured, kept for ever. object_id is the id in the table of its kind.
create table concord.configuration_versions (
  institution_id integer not null references concord.institutions (id),
  kind text not null check (kind in ('institution', 'system', 'entity_type', 'mapping', 'rule', 'code_table', 'job')),
  object_id integer not null,
  version integer not null,
  action text not null check (action in ('created', 'changed', 'archived', 'restored', 'reverted')),
  definition jsonb not null,
  changed_by text not null,
  changed_at timestamptz not null default now(),
  primary key (institution_id, kind, object_id, version)
);

-- What a person asks a system, and its answer, which may hold personal data: rows are short-lived.
create table concord.inquiries (
  id bigint generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  kind text not null check (kind in ('connection_test', 'discovery', 'mapping_trial')),
  subject text not null,
  parameters jsonb not null default '{}',
  state text not null default 'asked' check (state in ('asked', 'answered', 'failed')),
  answer jsonb,
  error_code text,
  error_detail text,
  asked_by text not null,
  asked_at timestamptz not null default now(),
  answered_at timestamptz
);
create index inquiries_asked on concord.inquiries (institution_id, asked_at);

do $$
declare t text;
begin
  foreach t in array array['configuration_versions', 'inquiries'] loop
    execute format('alter table concord.%I enable row level security', t);
    execute format(
      'create policy institution on concord.%I using (institution_id = (select nullif(current_setting(''concord.institution'', true), '''')::integer))', t);
    execute format('grant select, insert, update, delete on concord.%I to concord_worker, concord_api', t);
  end loop;
end $$;
grant usage on sequence concord.inquiries_id_seq to concord_worker, concord_api;

-- What is configured already begins its history with what stands.
insert into concord.configuration_versions (institution_id, kind, object_id, version, action, definition, changed_by, changed_at)
select id, 'institution', id, version, 'created', jsonb_build_object('code', code, 'name', name, 'timeZone', time_zone), updated_by, updated_at
from concord.institutions
union all
select institution_id, 'system', id, version, 'created',
  jsonb_strip_nulls(jsonb_build_object('name', name, 'kind', kind, 'owner', owner)) || jsonb_build_object('settings', settings), updated_by, updated_at
from concord.data_source_configurations
union all
select institution_id, 'entity_type', id, version, 'created', definition, updated_by, updated_at from concord.entity_types
union all
select institution_id, 'mapping', mapping_id, version, case version when 1 then 'created' else 'changed' end, definition, created_by, created_at
from concord.mapping_versions
union all
select institution_id, 'rule', id, version, 'created', definition, updated_by, updated_at from concord.data_quality_rules
union all
select institution_id, 'code_table', id, version, 'created', definition, updated_by, updated_at from concord.code_tables
union all
select institution_id, 'job', id, version, 'created', definition, updated_by, updated_at from concord.synchronization_jobs;
