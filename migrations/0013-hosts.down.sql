drop function concord.present_institutions(integer, integer);
