alter table concord.api_keys
  drop column changed_at,
  drop column changed_by,
  drop column version;
drop function concord.session_by_token(text);
drop table concord.sessions;
