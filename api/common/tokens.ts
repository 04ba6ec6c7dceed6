/** What is injected from outside the API. */
export const LOG = Symbol('log');
export const CLOCK = Symbol('clock');
export const HUB = Symbol('hub');
export const CALLERS = Symbol('callers');
export const COOKIES = Symbol('cookies');
export const DIRECTORY = Symbol('directory');
export const RATE_LIMITS = Symbol('rate limits');
/** Where people reach us. */
export const PUBLIC_URL = Symbol('public url');
export const RUN_STARTER = Symbol('run starter');
export const ROLLBACK_PREVIEW = Symbol('rollback preview');
export const READINESS = Symbol('readiness');
/** How long a question to a system waits for the answer of a worker, in milliseconds. */
export const INQUIRY_WAIT = Symbol('inquiry wait');
/** How long a start waits for a worker to open the run, in milliseconds. */
export const RUN_WAIT = Symbol('run wait');
