-- Of what an image is matched by (name, birth date, identifiers), as it was read: most changes leave it as it is, and then nothing of it is
-- looked up. Null: not known.
alter table concord.record_images add column match_hash bigint;
