alter table concord.mapping_versions drop column derived_since;
