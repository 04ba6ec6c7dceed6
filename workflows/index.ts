/* What the worker loads: the names of these functions are the names of the workflow types. */
export { syncRun } from './sync-run.js';
export { settleRun } from './settle-run.js';
export { rollbackRun } from './rollback-run.js';
export { recoverRun } from './recover-run.js';
export { review } from './review.js';
export { liveSync } from './live-sync.js';
export { indexNames } from './index-names.js';
export { dueRun } from './due-run.js';
export { inquiry } from './inquiry.js';
