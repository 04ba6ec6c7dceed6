drop trigger measure on concord.sync_runs;
drop function concord.migration_applied(text);
drop index concord.sync_runs_active;
drop function concord.operational_metrics();
drop function concord.measure_run();
drop function concord.measures_of_run(concord.sync_runs);
drop function concord.plain_word(text);
drop function concord.trigger_of(text);
drop table concord.run_metrics;
