drop function concord.summarize_records();
