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
/** Opens the connection over which the process hears of events. */
export const LISTEN = Symbol('listen');
/** How often a stream of events shows that it is still there, in milliseconds. */
export const HEARTBEAT = Symbol('heartbeat');
/** Where uploads wait until they are whole. */
export const SPOOL = Symbol('spool');
/** Finds whom a ticket lets in. */
export const TICKETS = Symbol('tickets');
export const READINESS = Symbol('readiness');
/** How long a question to a system waits for the answer of a worker, in milliseconds. */
export const INQUIRY_WAIT = Symbol('inquiry wait');
/** How long a start waits for a worker to open the run, in milliseconds. */
export const RUN_WAIT = Symbol('run wait');
