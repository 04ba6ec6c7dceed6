alter table concord.run_leases drop column reading;
alter table concord.sync_runs drop column reading;
alter table concord.run_leases drop column closed;
