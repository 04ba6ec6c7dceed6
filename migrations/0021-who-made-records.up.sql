-- Who made a record is known by ranges of pages (`golden_records_created`); pages that were filled since the last vacuum are looked through by
-- each run that asks. Whoever keeps the words up with a run has these told, too. Where a vacuum is at work, it does that itself.
create function concord.summarize_records() returns void
  language plpgsql volatile security definer set search_path = concord, pg_temp set lock_timeout = '100ms'
  as $$
  begin
    perform brin_summarize_new_values('concord.golden_records_created');
  exception when lock_not_available then
    null;
  end
  $$;
revoke all on function concord.summarize_records() from public;
grant execute on function concord.summarize_records() to concord_worker;
