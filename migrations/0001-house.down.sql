drop schema staging cascade;
drop schema concord cascade;
