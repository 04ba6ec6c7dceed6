drop index concord.golden_records_touched;
create index golden_records_touched on concord.golden_records (entity_type_id, updated_run);
