drop trigger tell on concord.run_chunks;
create trigger tell after insert or update on concord.run_chunks
  for each row when (new.state = 'done' and new.step not in ('plan', 'dispositions')) execute function concord.tell_chunk();
drop index concord.sync_conflict_resolutions_golden;
drop index concord.sync_conflict_resolutions_one_open;
create unique index sync_conflict_resolutions_one_open
  on concord.sync_conflict_resolutions (golden_id, kind, group_name) where state = 'open';
alter table concord.sync_conflict_resolutions drop column image_id;
drop index concord.change_set_entries_restored;
drop index concord.change_set_entries_golden;
alter table concord.change_set_entries drop column golden_id;
alter table concord.golden_record_versions drop column merged_into;
delete from concord.watermarks where kind in ('mapped', 'projected');
alter table concord.watermarks drop constraint watermarks_kind_check;
alter table concord.watermarks add constraint watermarks_kind_check check (kind in ('read', 'baseline'));
drop table concord.run_requests;
alter table concord.sync_runs drop column reason;
