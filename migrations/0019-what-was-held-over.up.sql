-- What we held of a row when it was held back: a system of which something else was seen since says that row no longer.
alter table concord.held_rows add column known_hash uuid;
update concord.held_rows r set known_hash = i.raw_hash
from concord.held_changes h, concord.record_images i
where h.id = r.held_id and h.state = 'held'
  and i.mapping_id = r.mapping_id and i.source_key = r.source_key and i.main and i.deleted_run is null;
