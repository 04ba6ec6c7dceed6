-- A run only goes forward: an attempt that wakes after the next step began is refused, and so is one of a reading that was given up.

-- From here on nothing more is written under the lease: a later step of the run has begun, or the run is over.
alter table concord.run_leases add column closed boolean not null default false;
-- How often the run began to read: again where a crash of the server emptied what was staged.
alter table concord.sync_runs add column reading integer not null default 1;
-- In which reading it was last taken: the next one takes it anew.
alter table concord.run_leases add column reading integer not null default 1;
