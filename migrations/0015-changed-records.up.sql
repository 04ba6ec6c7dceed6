-- Records that stand as they were made are found by the run that made them (`golden_records_created`): a first load enters none of
-- them here.
drop index concord.golden_records_touched;
create index golden_records_touched on concord.golden_records (entity_type_id, updated_run) where updated_run <> created_run;
