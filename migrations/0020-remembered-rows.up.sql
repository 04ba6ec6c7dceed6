-- Rows of sources as they were read last: digests of groups of lines, hashes of rows and ids of their images, in blocks. Unlogged: where
-- a crash empties it, rows are compared with their images.
create unlogged table concord.remembered_rows (
  run_id bigint not null references concord.sync_runs (id),
  mapping_id integer not null references concord.cross_system_mappings (id),
  block integer not null,
  institution_id integer not null references concord.institutions (id),
  bytes bytea not null,
  primary key (run_id, mapping_id, block)
);
create index remembered_rows_mapping on concord.remembered_rows (mapping_id);
-- Digests do not become smaller.
alter table concord.remembered_rows alter column bytes set storage external;
alter table concord.remembered_rows enable row level security;
create policy institution on concord.remembered_rows for all
  using (institution_id = (select nullif(current_setting('concord.institution', true), '')::integer));
grant select, insert, update, delete on concord.remembered_rows to concord_worker, concord_api;

alter table concord.watermarks drop constraint watermarks_kind_check;
alter table concord.watermarks add constraint watermarks_kind_check
  check (kind in ('read', 'baseline', 'mapped', 'projected', 'content', 'rows'));
