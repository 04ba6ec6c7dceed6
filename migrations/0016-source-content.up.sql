-- What a source held when all of its rows were known: the digests of its text. A later read that finds the same is done.
alter table concord.watermarks drop constraint watermarks_kind_check;
alter table concord.watermarks add constraint watermarks_kind_check
  check (kind in ('read', 'baseline', 'mapped', 'projected', 'content'));
