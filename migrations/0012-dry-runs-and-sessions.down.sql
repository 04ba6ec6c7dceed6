drop index concord.sync_conflict_resolutions_open;
drop function concord.configuration_fingerprint(integer);
drop function concord.holder_of_key(text);
create function concord.key_by_prefix(wanted text)
  returns table (id integer, institution_id integer, secret_hash text, role text, name text, expires_at timestamptz, revoked_at timestamptz)
  language sql stable security definer set search_path = concord, pg_temp
  as $$ select k.id, k.institution_id, k.secret_hash, k.role, k.name, k.expires_at, k.revoked_at from concord.api_keys k where k.prefix = wanted $$;
revoke all on function concord.key_by_prefix(text) from public;
grant execute on function concord.key_by_prefix(text) to concord_worker, concord_api;
alter table concord.sessions drop column vouched_at, drop column renewal;
create or replace function concord.forget_passed() returns void
  language sql volatile security definer set search_path = concord, pg_temp
  as $$
    delete from concord.events where created_at < now() - interval '1 day';
    delete from concord.event_tickets where expires_at < now() - interval '1 hour';
    delete from concord.webhook_receipts where received_at < now() - interval '1 day';
    delete from concord.idempotency_keys where created_at < now() - interval '2 days';
  $$;
-- Dry runs are known from here on no more; nothing of what they hold was done.
delete from concord.run_chunks c using concord.sync_runs r where r.id = c.run_id and r.kind = 'dry_run';
delete from concord.run_leases l using concord.sync_runs r where r.id = l.run_id and r.kind = 'dry_run';
drop function concord.open_dry_run(bigint);
drop table concord.run_samples;
drop trigger measure on concord.sync_runs;
create trigger measure after insert or update of finished_at on concord.sync_runs
  for each row execute function concord.measure_run();
delete from concord.sync_runs where kind = 'dry_run';
alter table concord.sync_runs drop constraint sync_runs_kind_check;
alter table concord.sync_runs add constraint sync_runs_kind_check
  check (kind in ('sync', 'decision', 'release', 'rollback', 'due', 'remap'));
