/** The identifiers of an image `i`, as the change set keeps them. */
export const identifiersOfImage = `jsonb_build_object('identifiers', (select jsonb_agg(to_jsonb(d)) from record_identifiers d where d.image_id = i.id))`;

/** A whole row of `record_images i`, with its identifiers. */
export const withIdentifiers = `to_jsonb(i) || ${identifiersOfImage}`;
