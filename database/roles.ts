/** What we are inside the database: neither owns a table of `concord` nor can bypass row-level security. */
export const databaseRoles = ['concord_worker', 'concord_api'] as const;
export type DatabaseRole = (typeof databaseRoles)[number];
