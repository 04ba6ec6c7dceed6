alter table concord.record_images drop column match_hash;
