delete from concord.watermarks where kind = 'rows';
alter table concord.watermarks drop constraint watermarks_kind_check;
alter table concord.watermarks add constraint watermarks_kind_check
  check (kind in ('read', 'baseline', 'mapped', 'projected', 'content'));
drop table concord.remembered_rows;
