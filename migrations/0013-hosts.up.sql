-- Which institutions there are, for whoever runs the platform for them. Nothing of what is theirs.
create function concord.present_institutions(after integer, most integer)
  returns table (id integer, code text, name text, time_zone text, has_keys boolean)
  language sql stable security definer set search_path = concord, pg_temp
  as $$
    select i.id, i.code, i.name, i.time_zone, exists (select from concord.api_keys k where k.institution_id = i.id)
    from concord.institutions i where i.id > after order by i.id limit most
  $$;
revoke all on function concord.present_institutions(integer, integer) from public;
grant execute on function concord.present_institutions(integer, integer) to concord_worker, concord_api;
