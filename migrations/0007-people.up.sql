-- People who signed in: one row a browser. The cookie's value is not stored, only its hash. `grants` are all that the claims gave;
-- role, institution and organisations are the one of them that is in use.
create table concord.sessions (
  id bigint generated always as identity primary key,
  institution_id integer not null references concord.institutions (id),
  token_hash text not null unique,
  provider text not null,
  subject text not null,
  name text not null,
  role text not null check (role in ('secretary', 'steward', 'operator', 'auditor', 'admin')),
  organisations text[] not null default '{}',
  grants jsonb not null,
  created_at timestamptz not null,
  last_used_at timestamptz not null,
  expires_at timestamptz not null
);
create index sessions_institution on concord.sessions (institution_id, expires_at);
alter table concord.sessions enable row level security;
create policy institution on concord.sessions
  using (institution_id = (select nullif(current_setting('concord.institution', true), '')::integer));
grant select, insert, update, delete on concord.sessions to concord_worker, concord_api;
grant usage on sequence concord.sessions_id_seq to concord_worker, concord_api;

-- Whose session it is has to be found before the institution is known.
create function concord.session_by_token(wanted text) returns table (id bigint, institution_id integer)
  language sql stable security definer set search_path = concord, pg_temp
  as $$ select s.id, s.institution_id from concord.sessions s where s.token_hash = wanted $$;
revoke all on function concord.session_by_token(text) from public;
grant execute on function concord.session_by_token(text) to concord_worker, concord_api;

-- Keys are rotated and revoked: who did it, and on which version.
alter table concord.api_keys
  add column version integer not null default 1,
  add column changed_by text,
  add column changed_at timestamptz;
