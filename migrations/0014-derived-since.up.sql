-- Since which version of a mapping the same is derived from a row: how a source is read may change, and its records stand. Null: since
-- this one.
alter table concord.mapping_versions add column derived_since integer;
