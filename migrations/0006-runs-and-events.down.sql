drop function concord.wake_jobs_of_system(integer, text);
drop function concord.forget_passed();
drop function concord.institution_of_system(integer);
drop function concord.redeem_ticket(text, timestamptz);

drop trigger tell on concord.deliveries;
drop trigger tell on concord.synchronization_jobs;
drop trigger tell on concord.held_changes;
drop trigger tell_changed on concord.sync_conflict_resolutions;
drop trigger tell_opened on concord.sync_conflict_resolutions;
drop trigger tell on concord.run_chunks;
drop trigger tell on concord.sync_runs;

drop table concord.event_tickets;
drop table concord.events;
drop sequence concord.event_positions;
drop table concord.webhook_receipts;
drop table concord.uploads;
drop function concord.tell_upload();
drop function concord.tell_delivery();
drop function concord.tell_job();
drop function concord.tell_held();
drop function concord.tell_changed_questions();
drop function concord.tell_opened_questions();
drop function concord.tell_chunk();
drop function concord.tell_run();
drop function concord.number_event();

alter table concord.deliveries drop column files;

-- Batches of replays are nothing that the older version knows; their rows stand aside again.
update concord.rejected_records set state = 'open' where state = 'replaying';
update concord.decision_batches set state = 'failed' where state = 'withdrawn' or kind = 'replay';
update concord.decision_batches set kind = 'discard', items = '[]' where kind = 'replay';
alter table concord.decision_batches
  drop constraint decision_batches_kind_check,
  add constraint decision_batches_kind_check check (kind in ('decision', 'release', 'discard', 'override')),
  drop constraint decision_batches_state_check,
  add constraint decision_batches_state_check check (state in ('pending', 'applied', 'failed'));

drop index concord.rejected_records_corrected;
drop index concord.rejected_records_settled;
drop index concord.rejected_records_batch;
drop index concord.rejected_records_key;
alter table concord.rejected_records
  drop column version,
  drop column corrected_key,
  drop column corrected_by,
  drop column corrected_at,
  drop column correction_reason,
  drop column batch_id,
  drop column settle_run_id,
  drop constraint rejected_records_state_check,
  add constraint rejected_records_state_check check (state in ('open', 'resolved'));

drop index concord.record_images_created;
drop index concord.golden_records_created;
alter table concord.sync_runs drop column cancelled_by, drop column cancelled_at, drop column cancel_reason;
alter table concord.run_leases drop column taken_at;
alter table concord.run_chunks drop column recorded_at;
