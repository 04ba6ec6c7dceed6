import type { Command } from './command.js';
import { apply } from './commands/apply.js';
import { completion } from './commands/completion.js';
import { connect } from './commands/connect.js';
import { conflicts } from './commands/conflicts.js';
import { decide } from './commands/decide.js';
import { diff } from './commands/diff.js';
import { doctor } from './commands/doctor.js';
import { exportFiles } from './commands/export.js';
import { held } from './commands/held.js';
import { jobs } from './commands/jobs.js';
import { keys } from './commands/keys.js';
import { login } from './commands/login.js';
import { person } from './commands/person.js';
import { rejected } from './commands/rejected.js';
import { restrict } from './commands/restrict.js';
import { roles } from './commands/roles.js';
import { rollback } from './commands/rollback.js';
import { run } from './commands/run.js';
import { runs } from './commands/runs.js';
import { status } from './commands/status.js';
import { up } from './commands/up.js';

/** Every command, in the order of use. */
export const commands: readonly Command[] = [
  ...[up, apply, diff, exportFiles, connect, login, status, doctor],
  ...[jobs, run, runs, rejected],
  ...[conflicts, decide, held, rollback],
  ...[person, restrict, keys, roles],
];

/** With the one that is made of the others. */
export const allCommands: readonly Command[] = [...commands, completion(commands)];
