-- Why a person asked for a run. It is kept here and never travels through Temporal; the run takes it when it opens.
alter table concord.sync_runs add column reason text;
create table concord.run_requests (
  workflow_id text primary key,
  institution_id integer not null references concord.institutions (id),
  reason text not null,
  created_at timestamptz not null default now()
);

-- mapped: the version by which all images of a source are derived; projected: the one by which all rows of a target were judged.
alter table concord.watermarks drop constraint watermarks_kind_check;
alter table concord.watermarks add constraint watermarks_kind_check check (kind in ('read', 'baseline', 'mapped', 'projected'));

-- A record that became part of another keeps that in its versions too.
alter table concord.golden_record_versions add column merged_into bigint;

-- Which record an image was of before the run: found by a rollback without reading the whole change set for each record. (An index
-- on the expression could not be used under row-level security.)
alter table concord.change_set_entries add column golden_id bigint
  generated always as (case when kind = 'image' then (coalesce(before, after) ->> 'golden_id')::bigint end) stored;
create index change_set_entries_golden on concord.change_set_entries (run_id, golden_id) where golden_id is not null;

-- What undos wrote of a record.
create index change_set_entries_restored on concord.change_set_entries (row_id) where kind = 'golden' and after is not null;

-- Of a duplicate: the image that may be of another record. Of an identity: the image whose key came with somebody else.
alter table concord.sync_conflict_resolutions add column image_id bigint;
drop index concord.sync_conflict_resolutions_one_open;
create unique index sync_conflict_resolutions_one_open
  on concord.sync_conflict_resolutions (golden_id, kind, group_name, coalesce(image_id, 0)) where state = 'open';

create index sync_conflict_resolutions_golden on concord.sync_conflict_resolutions (golden_id);

alter table concord.run_requests enable row level security;
create policy institution on concord.run_requests
  using (institution_id = (select nullif(current_setting('concord.institution', true), '')::integer));
grant select, insert, update, delete on concord.run_requests to concord_worker, concord_api;

-- By which version a source is derived, and which rows are about to be taken back, is nobody's news.
drop trigger tell on concord.run_chunks;
create trigger tell after insert or update on concord.run_chunks
  for each row when (new.state = 'done' and new.step not in ('plan', 'dispositions', 'mapped', 'post_rows')) execute function concord.tell_chunk();
