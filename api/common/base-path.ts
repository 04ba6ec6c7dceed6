/** Where every route but the two of health stands. Known to clients: never change it. */
export const basePath = '/api/secretary/data-sync';

/** A link of ours, as replies carry it. */
export const linkTo = (path: string): string => `${basePath}/${path}`;
