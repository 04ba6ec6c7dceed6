/* What a person asks a system while they configure it. The answer comes from a worker: only workers reach systems. */

/** *connection_test*: does it answer, and what is it. *discovery*: what it holds. *mapping_trial*: what its rows would become.
 *  Kinds are stored: never rename one. */
export const inquiryKinds = ['connection_test', 'discovery', 'mapping_trial'] as const;
export type InquiryKind = (typeof inquiryKinds)[number];
