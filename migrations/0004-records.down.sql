delete from concord.outbox where topic in ('names', 'due');

do $$
declare t text;
begin
  foreach t in array array['golden_records', 'golden_record_versions', 'golden_references', 'record_images', 'record_identifiers', 'restrictions',
                           'target_due', 'change_set_entries', 'sync_conflict_resolutions', 'rejected_records', 'held_rows', 'findings'] loop
    execute format('drop policy shown on concord.%I', t);
  end loop;
end $$;
drop function concord.count_words(integer, text[], integer);
drop table concord.disclosures, concord.golden_words;
drop function concord.show_to(text, text[], timestamptz), concord.mark_due(bigint, date[]);
drop view concord.restricted_rows, concord.restrictions_in_force, concord.affiliations, concord.organisations;
drop function concord.shows_all(), concord.shown_day(), concord.shown_class(), concord.shown_organisations();

-- Runs of one person are runs like others then; two that are at work at once could not be told apart.
drop index concord.sync_runs_one_active_per_job;
alter table concord.sync_runs drop column subject_key;
create unique index sync_runs_one_active_per_job on concord.sync_runs (job_id) where kind = 'sync' and finished_at is null;

alter table concord.golden_record_versions drop column superseded_at;
drop index concord.restrictions_record, concord.restrictions_subject;
alter table concord.restrictions drop column authority, drop column reason, drop column placed_at, drop column release_reason;
alter table concord.api_keys drop column organisations;
alter table concord.institutions drop column visibility;
