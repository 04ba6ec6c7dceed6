-- Who sees whom: the organisations that a key is bound to, restrictions that hold for whoever looks, disclosures. The words by
-- which records are found. Runs that read one person alone.
alter table concord.institutions add column visibility jsonb;

alter table concord.api_keys add column organisations text[] not null default '{}';

alter table concord.restrictions
  add column authority text,
  add column reason text,
  add column placed_at timestamptz not null default now(),
  add column release_reason text;
create index restrictions_record on concord.restrictions (golden_id);
create index restrictions_subject on concord.restrictions (subject_key) where subject_key is not null;

-- When the next version came to be known. Of versions from before, the end of the run that wrote it.
alter table concord.golden_record_versions add column superseded_at timestamptz not null default now();
update concord.golden_record_versions v set superseded_at = coalesce(r.finished_at, r.started_at)
from concord.sync_runs r where r.id = v.superseded_run;

-- The person whose records alone a run reads; null: whole sources. Such a run does not occupy its job.
alter table concord.sync_runs add column subject_key bigint;
drop index concord.sync_runs_one_active_per_job;
create unique index sync_runs_one_active_per_job on concord.sync_runs (job_id)
  where kind = 'sync' and finished_at is null and subject_key is null;

-- The words of a record's names, without case, accents and apostrophes. Written after the run that wrote the record.
create table concord.golden_words (
  golden_id bigint not null,
  word text collate "C" not null,
  institution_id integer not null,
  entity_type_id integer not null,
  subject_key bigint,
  primary key (golden_id, word)
);
create index golden_words_word on concord.golden_words (entity_type_id, word, golden_id);

-- That somebody was shown values that their role sees masked, and why. Never the values.
create table concord.disclosures (
  id bigint generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  golden_id bigint not null references concord.golden_records (id),
  groups text[] not null,
  identifiers text[] not null default '{}',
  actor text not null,
  reason text not null,
  disclosed_at timestamptz not null default now(),
  subject_key bigint
);
create index disclosures_golden on concord.disclosures (golden_id);

do $$
declare t text;
begin
  foreach t in array array['golden_words', 'disclosures'] loop
    execute format('alter table concord.%I enable row level security', t);
    execute format(
      'create policy institution on concord.%I using (institution_id = (select nullif(current_setting(''concord.institution'', true), '''')::integer))', t);
    execute format('grant select, insert, update, delete on concord.%I to concord_worker, concord_api', t);
  end loop;
end $$;
grant usage on all sequences in schema concord to concord_worker, concord_api;
grant maintain on concord.golden_words to concord_worker;

-- How many words begin so, up to `most`: by the rarest of several a search begins. Numbers only, so it looks past the policies below.
create function concord.count_words(type_id integer, beginnings text[], most integer) returns table (beginning text, found integer)
  language sql stable security definer set search_path = concord, pg_temp
  as $$
  select b.beginning, (
    select count(*)::integer from (
      select from concord.golden_words w
      where w.institution_id = nullif(current_setting('concord.institution', true), '')::integer
        and w.entity_type_id = type_id and w.word >= b.beginning and w.word < b.beginning || chr(1114111) limit most) x)
  from unnest(beginnings) as b (beginning)
  $$;
revoke all on function concord.count_words(integer, text[], integer) from public;
grant execute on function concord.count_words(integer, text[], integer) to concord_api;

-- ── who is shown what ────────────────────────────────────────────────────────────────────────────────────────────────
-- `show_to` says it once a transaction; without it everything of the institution is shown. What follows from it are policies of
-- the API's role, so that no query of the API can forget it.
create function concord.shown_organisations() returns bigint[] language sql stable
  as $$ select nullif(current_setting('concord.organisations', true), '')::bigint[] $$;
-- The recipient class of whoever looks; null: restrictions do not hold for them.
create function concord.shown_class() returns text language sql stable
  as $$ select nullif(current_setting('concord.reader', true), '') $$;
create function concord.shown_day() returns date language sql stable
  as $$ select nullif(current_setting('concord.day', true), '')::date $$;
create function concord.shows_all() returns boolean language sql stable
  as $$ select concord.shown_organisations() is null and concord.shown_class() is null $$;

-- The views look past the policies below, as their owner: a policy that asked them of itself would ask for ever. Each is of one institution.
create view concord.organisations as
  select g.id, g.entity_type_id, (g.values[p.code])::jsonb #>> '{}' as code, (g.values[p.name])::jsonb #>> '{}' as name,
    (g.values[p.parent])::jsonb #>> '{}' as parent
  from concord.institutions i
  join concord.entity_types t on t.institution_id = i.id and t.name = i.visibility ->> 'organisation'
  cross join lateral (
    select max(e.n) filter (where e.member ->> 'name' = i.visibility ->> 'code')::integer as code,
      max(e.n) filter (where e.member ->> 'name' = i.visibility ->> 'name')::integer as name,
      max(e.n) filter (where e.member ->> 'name' = i.visibility ->> 'parent')::integer as parent
    from jsonb_array_elements(t.definition -> 'groups') with ordinality as e (member, n)) p
  join concord.golden_records g on g.entity_type_id = t.id and g.status = 'active'
  where i.id = (select nullif(current_setting('concord.institution', true), '')::integer);

-- Whose live affiliations lead to which organisation, by the paths that the institution declares.
create view concord.affiliations as
  select a.subject_key, r.target_id as organisation_id
  from concord.golden_records a
  join concord.golden_references r on r.golden_id = a.id
  join concord.entity_types t on t.id = a.entity_type_id
  join concord.institutions i on i.id = a.institution_id and i.visibility -> 'through' ? (t.name || '.' || r.path)
  where a.institution_id = (select nullif(current_setting('concord.institution', true), '')::integer)
    and a.subject_key is not null and a.subject_key <> a.id and a.status = 'active'
    and (a.valid_from is null or a.valid_from <= (select concord.shown_day()))
    and (a.valid_to is null or a.valid_to >= (select concord.shown_day()));

create view concord.restrictions_in_force as
  select h.golden_id from concord.restrictions h
  where h.institution_id = (select nullif(current_setting('concord.institution', true), '')::integer) and h.released_at is null
    and h.recipient_class in ('*', (select concord.shown_class()))
    and (h.valid_from is null or h.valid_from <= (select concord.shown_day()))
    and (h.valid_to is null or h.valid_to >= (select concord.shown_day()));

create view concord.restricted_rows as
  select i.mapping_id, i.source_key from concord.record_images i
  where i.main and (i.golden_id in (select golden_id from concord.restrictions_in_force) or i.subject_key in (select golden_id from concord.restrictions_in_force));

grant select on concord.organisations, concord.affiliations, concord.restrictions_in_force, concord.restricted_rows to concord_api;

-- For the rest of the transaction: a reader of this role, bound to the organisations of these codes and those below them (none:
-- not bound), sees what they may see at this moment.
create function concord.show_to(reader text, codes text[], moment timestamptz) returns void
  language plpgsql volatile security definer set search_path = concord, pg_temp
  as $$
  declare
    house concord.institutions;
    ids bigint[];
  begin
    select * into house from concord.institutions where id = nullif(current_setting('concord.institution', true), '')::integer;
    perform set_config('concord.day', (moment at time zone house.time_zone)::date::text, true);
    perform set_config('concord.reader', case when reader = 'steward' then '' else coalesce(house.visibility -> 'readers' ->> reader, '*') end, true);
    if cardinality(codes) = 0 then
      perform set_config('concord.organisations', '', true);
      return;
    end if;
    with recursive below as (
      select o.id, o.code from concord.organisations o where o.code = any (codes)
      union
      select o.id, o.code from concord.organisations o join below b on o.parent = b.code)
    select coalesce(array_agg(id), '{}') into ids from below;
    perform set_config('concord.organisations', ids::text, true);
  end $$;

create policy shown on concord.golden_records as restrictive to concord_api using (
  (select concord.shows_all())
  or ((select concord.shown_organisations() is null)
      or subject_key is null and entity_type_id in (select t.id from concord.entity_types t where t.definition ->> 'subject' = 'none')
      or exists (select from concord.affiliations a where a.subject_key = golden_records.subject_key
                   and a.organisation_id = any ((select concord.shown_organisations())::bigint[])))
    and ((select concord.shown_class() is null)
      or not exists (select from concord.restrictions_in_force h where h.golden_id = golden_records.id)
        and not exists (select from concord.restrictions_in_force h where h.golden_id = golden_records.subject_key)));

-- What belongs to a golden record is shown where it is.
do $$
declare t text;
begin
  foreach t in array array['golden_record_versions', 'golden_references', 'golden_words', 'record_images', 'restrictions', 'target_due',
                           'sync_conflict_resolutions', 'disclosures'] loop
    execute format(
      'create policy shown on concord.%1$I as restrictive to concord_api using (
         (select concord.shows_all()) or exists (select from concord.golden_records g where g.id = %1$I.golden_id))', t);
  end loop;
end $$;
create policy shown on concord.record_identifiers as restrictive to concord_api using (
  (select concord.shows_all()) or exists (select from concord.record_images i where i.id = record_identifiers.image_id));

create policy shown on concord.change_set_entries as restrictive to concord_api using (
  (select concord.shows_all()) or kind in ('watermark', 'input')
  or exists (select from concord.golden_records g
             where g.id = case when subject_key is null and kind in ('golden', 'target') then row_id else subject_key end));

-- What is known only by a key of its source: of whoever is bound, the keys that lead to somebody they see.
do $$
declare
  t text;
  by_key text := '(%1$I.source_key is null
    or ((select concord.shown_organisations() is null)
        or exists (select from concord.record_images i where i.mapping_id = %1$I.mapping_id and i.source_key = %1$I.source_key and i.main
                     and i.entity_type_id = any (array(select e.id from concord.entity_types e))))
      and ((select concord.shown_class() is null)
        or not exists (select from concord.restricted_rows r where r.mapping_id = %1$I.mapping_id and r.source_key = %1$I.source_key)))';
begin
  foreach t in array array['rejected_records', 'held_rows'] loop
    execute format('create policy shown on concord.%1$I as restrictive to concord_api using ((select concord.shows_all()) or ' || by_key || ')', t);
  end loop;
  execute format(
    'create policy shown on concord.%1$I as restrictive to concord_api using ((select concord.shows_all())
       or golden_id is not null and exists (select from concord.golden_records g where g.id = %1$I.golden_id)
       or golden_id is null and ' || by_key || ')', 'findings');
end $$;

-- Whatever reads a record, directly or by way of references, is projected again on these days, in every target that was published to
-- before; also what the caller does not see. (A record that such a target does not take is passed over there.)
create function concord.mark_due(wanted bigint, days date[]) returns void
  language sql volatile security definer set search_path = concord, pg_temp
  as $$
  with recursive reading (id, depth) as (
    select g.id, 0 from concord.golden_records g
    where g.id = wanted and g.institution_id = nullif(current_setting('concord.institution', true), '')::integer
    union
    select r.golden_id, n.depth + 1 from reading n join concord.golden_references r on r.target_id = n.id where n.depth < 4)
  insert into concord.target_due (golden_id, mapping_id, due, institution_id, subject_key)
  select distinct g.id, m.id, d.day, g.institution_id, g.subject_key
  from reading n
    join concord.golden_records g on g.id = n.id
    join concord.entity_types t on t.id = g.entity_type_id
    join concord.cross_system_mappings m on m.institution_id = g.institution_id and m.definition -> 'target' ->> 'root' = t.name and not m.archived
    join concord.watermarks w on w.mapping_id = m.id and w.kind = 'baseline'
    cross join unnest(days) d (day)
  on conflict do nothing
  $$;

revoke all on function concord.shown_organisations(), concord.shown_class(), concord.shown_day(), concord.shows_all(),
  concord.show_to(text, text[], timestamptz), concord.mark_due(bigint, date[]) from public;
grant execute on function concord.shown_organisations(), concord.shown_class(), concord.shown_day(), concord.shows_all()
  to concord_worker, concord_api;
grant execute on function concord.show_to(text, text[], timestamptz), concord.mark_due(bigint, date[]) to concord_api;

-- Records from before are found by their names too.
insert into concord.outbox (institution_id, topic, subject) select id, 'names', 'all' from concord.institutions;
