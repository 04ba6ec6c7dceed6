drop table concord.inquiries;
drop table concord.configuration_versions;
alter table concord.mapping_versions drop column code_tables;
alter table concord.synchronization_jobs
  drop constraint synchronization_jobs_paused,
  drop column paused_at,
  drop column paused_by,
  drop column paused_reason;
alter table concord.institutions
  drop column version,
  drop column recipient_classes;
