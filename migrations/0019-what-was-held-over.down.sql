alter table concord.held_rows drop column known_hash;
