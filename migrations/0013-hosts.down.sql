drop function concord.present_institutions();
