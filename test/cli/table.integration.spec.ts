import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { Command } from '../../cli/command.js';
import { allCommands } from '../../cli/commands.js';
import { completionScript, shells } from '../../cli/completion.js';
import { commonOptions } from '../../cli/parser.js';
import { Concord } from './concord.js';

const concord = new Concord();
afterAll(() => {
  concord.close();
});

const walk = (path: string, commands: readonly Command[]): readonly (readonly [string, Command])[] =>
  commands.flatMap((command) => {
    const name = path === '' ? command.name : `${path} ${command.name}`;
    return [[name, command] as const, ...walk(name, command.subcommands ?? [])];
  });
const all = walk('', allCommands);

describe('the table of commands', () => {
  test.each(all)('%s has a help with examples that the parser understands', async (name, command) => {
    const help = await concord.run(`${name} --help`);
    expect(help).toMatchObject({ exitCode: 0, err: '' });
    expect(help.out).toContain(command.summary.split(' ').slice(0, 3).join(' '));
    expect(command.examples.length).toBeGreaterThan(0);
    for (const { command: example } of command.examples) {
      const words = /concord ([^|<>)$]*)/.exec(example)?.[1]?.trim().split(/\s+/) ?? [];
      const found = all.filter(([path]) => `${words.join(' ')} `.startsWith(`${path} `)).at(-1)?.[1];
      const known = [...(found?.options ?? []), ...commonOptions].map((option) => `--${option.name}`);
      const used = words.filter((word) => /^--\w/.test(word) && word !== '--version');
      expect([example, used.filter((flag) => !known.includes(flag))]).toEqual([example, []]);
    }
  });

  test('no option of a command hides a common one', () => {
    const common = commonOptions.map(({ name }) => name);
    for (const [name, { options = [] }] of all)
      expect([name, options.filter((option) => common.includes(option.name))]).toEqual([name, []]);
  });
});

const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

describe('completion', () => {
  const complete = (line: string): readonly string[] => {
    const words = line.split(' ');
    const script = `${completionScript('bash', allCommands)}
      COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${String(words.length - 1)}
      _concord; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split('\n');
  };

  test('offers commands, subcommands, options and fixed values', () => {
    expect(complete('concord conf')).toEqual(['conflicts']);
    expect(complete('concord held re')).toEqual(['release']);
    expect(complete('concord held release --rea')).toEqual(['--reason']);
    expect(complete('concord runs --state fa')).toEqual(['failed']);
    expect(complete('concord --ver')).toEqual(['']);
  });

  test.each(shells.filter(has))('%s accepts its script', (shell) => {
    const file = join(mkdtempSync(join(tmpdir(), 'concord-completion-')), 'script');
    writeFileSync(file, completionScript(shell, allCommands));
    const checked = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
    rmSync(dirname(file), { recursive: true });
    expect([checked.status, checked.stderr]).toEqual([0, '']);
  });
});
