#!/usr/bin/env node
/* The command `concord` (`npx concord`). */
process.argv.splice(2, 0, 'cli/concord');
await import('./run.mjs');
