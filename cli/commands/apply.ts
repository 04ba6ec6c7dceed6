import { configurationIo, outcomeOf } from '../configuration-io.js';
import { run as applyOverHttp } from '../configuration-apply.js';
import type { Call, Command, Outcome } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { Failure } from '../failure.js';
import { keyLines } from '../keys.js';

/** `concord apply` */
export const apply: Command = {
  name: 'apply',
  summary: 'make a folder of YAML the configuration of an institution, whole or not at all',
  arguments: [{ name: 'folder', description: 'the folder, or one file of it' }],
  options: [
    { name: 'yes', short: 'y', description: 'apply the difference without asking' },
    { name: 'prune', description: 'archive what the folder leaves out (default: it stays)' },
    { name: 'local', description: 'straight into the database of this machine, which needs no key' },
    {
      name: 'keep-keys',
      description:
        'of a new institution: keep its first keys as profiles `secretary`, `steward`, `operator` and `admin` (`college-secretary` … where there are some)',
    },
  ],
  examples: [
    {
      command: 'concord apply college --local --keep-keys',
      does: 'a new institution; later commands ask with --profile operator',
    },
    { command: 'concord apply college', does: 'shows what differs, asks, and applies it through the API' },
    { command: 'concord apply college/jobs/people.yaml --yes', does: 'one file, for a script' },
    { command: 'concord apply college --prune', does: 'what the folder does not hold is archived' },
  ],
  run: (call) => (call.flag('local') || call.settings.findKey() === null ? locally(call) : overHttp(call)),
};

async function overHttp(call: Call): Promise<Outcome> {
  const io = configurationIo(call);
  const flags = ['yes', 'prune', 'json'].filter((name) => call.flag(name)).map((name) => `--${name}`);
  return outcomeOf(call, io, await applyOverHttp(['-f', call.argument('folder'), ...flags], io));
}

async function locally(call: Call): Promise<Outcome> {
  const { applyFolder } = await import('../apply.js');
  const applied = await applyFolder(call.argument('folder'), {
    prune: call.flag('prune'),
    agreed: async (lines) => {
      if (call.flag('yes')) return true;
      for (const line of lines) call.progress.note(line);
      return /^y(es)?$/i.test((await call.ask('Apply this? [y/N] ')) ?? '');
    },
  });
  if (applied === null)
    throw new Failure(exitCodes.decision, 'not_confirmed', 'Nothing was changed.', {
      remedy: 'Look at the difference, then say --yes.',
    });
  const { firstKeys, institution, lines, warnings } = applied;
  for (const warning of warnings) call.progress.note(warning);
  const profiles = firstKeys !== null && call.flag('keep-keys') ? keepKeys(call, institution.code, firstKeys) : null;
  const aboutKeys =
    firstKeys === null
      ? []
      : profiles === null
        ? ['', ...keyLines(institution.name, firstKeys)]
        : ['', `The first keys are kept as profiles ${profiles.join(', ')} in ${call.settings.file}.`];
  return {
    data: {
      institution,
      changes: applied.changes,
      warnings,
      firstKeys: profiles === null ? firstKeys : null,
      profiles,
    },
    text: () => [...lines, ...aboutKeys].join('\n'),
  };
}

function keepKeys(call: Call, code: string, keys: Readonly<Record<string, string>>): readonly string[] {
  const url = call.settings.urlWithoutProfile;
  return call.settings.keepFirst(
    code,
    Object.fromEntries(Object.entries(keys).map(([role, key]) => [role, { url, key }])),
  );
}
