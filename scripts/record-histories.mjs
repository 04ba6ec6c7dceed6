/* Records the histories that test/replay replays: `node scripts/record-histories.mjs [scenario …]`, by default all. By hand, and
   from a released version: a history stands for a run that is under way when the next version is installed. */
import { register } from 'node:module';

register('../test/harness/typescript-loader.mjs', import.meta.url);

const { recordHistories } = await import('../test/replay/record.ts');
await recordHistories(process.argv.slice(2));
process.exit();
