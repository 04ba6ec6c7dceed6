-- Room in each page for the next state of an image: it then stays in its page, and no index hears of it.
alter table concord.record_images set (fillfactor = 90);
