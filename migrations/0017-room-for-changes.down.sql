alter table concord.record_images reset (fillfactor);
