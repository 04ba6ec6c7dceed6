import type { Command } from './command.js';
import { apply } from './commands/apply.js';
import { completion } from './commands/completion.js';
import { conflicts } from './commands/conflicts.js';
import { decide } from './commands/decide.js';
import { doctor } from './commands/doctor.js';
import { held } from './commands/held.js';
import { jobs } from './commands/jobs.js';
import { login } from './commands/login.js';
import { person } from './commands/person.js';
import { rejected } from './commands/rejected.js';
import { roles } from './commands/roles.js';
import { rollback } from './commands/rollback.js';
import { run } from './commands/run.js';
import { runs } from './commands/runs.js';
import { status } from './commands/status.js';
import { up } from './commands/up.js';

/** Every command, in the order of use. */
export const commands: readonly Command[] = [
  ...[up, apply, login, status, doctor],
  ...[jobs, run, runs, rejected],
  ...[conflicts, decide, held, rollback],
  ...[person, roles],
];

/** With the one that is made of the others. */
export const allCommands: readonly Command[] = [...commands, completion(commands)];
