/* English: titles stand with their codes (api/common/problem.ts), and most details where they are told. Here is what has to be told in
   other languages with its parameters (ICU MessageFormat). */

/** By code, and what is special about it. `kind` is `what` as one word, for languages that decline it. */
export const sentences = {
  'body_malformed.unreadable': 'The body or the address cannot be read.',
  'body_too_large.route': 'The body is larger than this route takes.',
  'cursor_mismatch.other': 'The cursor belongs to another filter or order. Begin with the first page.',
  'cursor_mismatch.unknown': 'The cursor is none of ours. Begin with the first page.',
  'forbidden.role': 'The role {role} does not admit this; it needs {roles}.',
  'idempotency_in_flight.first': 'The first request with this Idempotency-Key is still at work. Ask again in a moment.',
  'idempotency_key_required.send': 'Send an Idempotency-Key: a text of your own that names this request.',
  'idempotency_key_reused.other': 'This Idempotency-Key was sent with another request. Take a new one.',
  'internal.defect': 'This is a defect of Concord. Report it with the trace id.',
  'media_type_unsupported.route': 'This route does not read that Content-Type.',
  'no_access.grants':
    '{provider} knows you, but none of its claims gives you a role here. Ask those who keep the roles.',
  'not_found.address': 'There is nothing at this address.',
  'not_found.thing': 'There is no {what} {id} in your institution.',
  'not_found.thing_unnamed': 'There is no {what} with this id in your institution.',
  'origin_refused.other': 'A request with a session must come from {origin}.',
  'precondition_failed.changed': 'It was changed by {by} since you read it.',
  'precondition_required.send': 'Send If-Match with the ETag that you read.',
  'rate_limited.wait':
    'More requests than {limit} a minute. Ask again in {seconds, plural, one {# second} other {# seconds}}.',
  'request_refused.as_it_is': 'The request cannot be answered as it is.',
  'sign_in_failed.provider': '{provider} did not confirm who you are. Begin again.',
  'sign_in_failed.other_browser': 'This sign-in was begun elsewhere, or too long ago. Begin again.',
  'unauthenticated.none': 'Send an API key: Authorization: Bearer concord_…',
  'unauthenticated.wrong': 'This API key is unknown, expired or revoked.',
  'unauthenticated.ticket': 'This ticket is unknown, used or too old; get another one.',
  'unauthenticated.session': 'The session is over. Sign in again.',
  'unavailable.part': 'A part that is needed does not answer. Try again.',
  'unavailable.provider': '{provider} does not answer. Try again.',
  'validation_failed.idempotency_key': 'Idempotency-Key must be 1 to 255 visible ASCII characters.',
  'validation_failed.many': '{count} things are not right.',
  'validation_failed.no_parameters': 'This route takes no parameters.',
} as const satisfies Readonly<Record<string, string>>;

/** By the rule of class-validator that a field breaks, with `field` and the rule's own limits. */
export const fields = {
  missing: '{field} is missing',
  unknown: '{field} is not known here',
  parameter: 'this parameter is not known here',
  idempotencyKey: '1 to 255 visible ASCII characters',
  arrayMaxSize: '{field} must have {max, plural, one {# item} other {# items}} at most',
  arrayMinSize: '{field} must have {min, plural, one {# item} other {# items}} at least',
  isArray: '{field} must be a list',
  isBoolean: '{field} must be true or false',
  isDay: '{field} must be a day of the calendar, YYYY-MM-DD',
  isFuture: '{field} must lie in the future, and at most ten years away',
  isIn: '{field} must be one of {values}',
  isInt: '{field} must be a whole number',
  isLength: '{field} must have {min, number} to {max, number} characters',
  isMoment: '{field} must be a moment, YYYY-MM-DDThh:mm:ssZ',
  isObject: '{field} must be an object',
  isString: '{field} must be a text',
  matches: '{field} must look like {pattern}',
  max: '{field} must be {max, number} at most',
  min: '{field} must be {min, number} at least',
  nestedValidation: '{field} must be an object, or a list of objects',
  noNul: '{field} must not hold the character U+0000',
  oneChoice: 'exactly one of take, keep and value has to be given',
} as const satisfies Readonly<Record<string, string>>;
