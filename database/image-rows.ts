import { keySeparator } from '../domain/rows.js';

/** The identifiers of an image `i`, as the change set keeps them. */
export const identifiersOfImage = `jsonb_build_object('identifiers', (select jsonb_agg(to_jsonb(d)) from record_identifiers d where d.image_id = i.id))`;

/** A whole row of `record_images i`, with its identifiers. */
export const withIdentifiers = `to_jsonb(i) || ${identifiersOfImage}`;

/** A key for an image `alias` that no row has, for as long as its own goes to another image in the same statement. */
export const parkedKey = (alias: string): string => `'${keySeparator.repeat(2)}' || ${alias}.id`;
