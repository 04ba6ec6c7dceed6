import { createInterface } from 'node:readline/promises';
import { Command as Parser, CommanderError, Option } from 'commander';
import { connect } from '../client/client.js';
import type { CliEnvironment } from '../config/env.js';
import type { Call, Command, OptionSpec, Outcome } from './command.js';
import { exitCodes, exitCodeWords } from './exit-codes.js';
import type { ExitCode } from './exit-codes.js';
import { failureData, failureLines, failureOf, Failure } from './failure.js';
import { Settings } from './settings.js';
import { paintOf, progressOn } from './terminal.js';
import type { Output } from './terminal.js';

/** Where `concord` runs. */
export interface World {
  readonly environment: CliEnvironment;
  readonly output: Output;
  readonly errors: Output;
  readonly input: NodeJS.ReadStream;
  /** The address of the platform that runs on this machine, null where none does. */
  readonly runningUrl: () => string | null;
  readonly version: string;
}

/** Options that every command has. */
export const commonOptions: readonly OptionSpec[] = [
  { name: 'json', description: 'print JSON, also for errors (on standard error)' },
  { name: 'url', value: 'URL', description: 'where Concord is (CONCORD_URL)' },
  { name: 'key', value: 'KEY', description: 'the API key to ask with (better: CONCORD_API_KEY, or `concord login`)' },
  { name: 'profile', value: 'NAME', description: 'the kept key to ask with (CONCORD_PROFILE)' },
  { name: 'quiet', short: 'q', description: 'say nothing of what goes on' },
  { name: 'no-color', description: 'no colours (NO_COLOR)' },
];

/** Runs one command line and returns its exit code. Prints the result to standard output, all else to standard error. */
export async function runConcord(
  commands: readonly Command[],
  args: readonly string[],
  world: World,
): Promise<ExitCode> {
  let exitCode: ExitCode = exitCodes.ok;
  const program = new Parser('concord')
    .description('Keeps the records of an institution’s systems in agreement.')
    .version(world.version, '-V, --version', 'print the version')
    .helpCommand(false)
    .addHelpText('after', closingHelp());
  const build = (parent: Parser, command: Command): void => {
    const parser = parent.command(command.name).description(command.summary);
    for (const { name, description, optional = false } of command.arguments ?? [])
      parser.argument(optional ? `[${name}]` : `<${name}>`, description);
    for (const option of command.options ?? []) parser.addOption(toOption(option));
    if (command.run !== undefined || command.subcommands === undefined)
      for (const option of commonOptions) parser.addOption(toOption(option));
    parser.addHelpText('after', examplesOf(command));
    const { run } = command;
    if (run !== undefined) {
      parser.action(async () => {
        exitCode = await perform({ command, run, parser, world });
      });
    }
    for (const subcommand of command.subcommands ?? []) build(parser, subcommand);
  };
  for (const command of commands) build(program, command);
  prepare(program, world);
  try {
    await program.parseAsync(['node', 'concord', ...args]);
    return exitCode;
  } catch (error) {
    // The parser has printed what it had to say; only help and version are no error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    throw error;
  }
}

/* What holds for a parser and all that are below it. */
function prepare(parser: Parser, world: World): void {
  parser
    .exitOverride()
    .enablePositionalOptions()
    .showSuggestionAfterError(true)
    .showHelpAfterError('(--help shows how)')
    .configureOutput({
      writeOut: (text) => {
        world.output.write(text);
      },
      writeErr: (text) => {
        world.errors.write(text);
      },
    });
  for (const below of parser.commands) prepare(below, world);
}

function toOption({ name, short, description, value, choices }: OptionSpec): Option {
  const flags = `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` <${value}>`}`;
  const option = new Option(flags, description);
  return choices === undefined ? option : option.choices([...choices]);
}

function examplesOf({ examples }: Command): string {
  if (examples.length === 0) return '';
  return `\nExamples:\n${examples.map(({ command, does }) => `  $ ${command}\n      ${does}`).join('\n')}\n`;
}

function closingHelp(): string {
  const codes = exitCodeWords.map(([code, words]) => `  ${String(code)}  ${words}`).join('\n');
  return `\n\`concord COMMAND --help\` shows the options of a command, with examples.\n\nExit codes:\n${codes}\n`;
}

interface Performance {
  readonly command: Command;
  readonly run: (call: Call) => Promise<Outcome>;
  readonly parser: Parser;
  readonly world: World;
}

async function perform({ command, run, parser, world }: Performance): Promise<ExitCode> {
  const values = valuesOf(command, parser);
  const text = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === 'string' ? value : undefined;
  };
  const flag = (name: string): boolean => values[name] === true;
  const coloured = (output: Output): boolean => !flag('no-color') && (world.environment.colours ?? output.isTerminal);
  const flags = { url: text('url'), key: text('key'), profile: text('profile') };
  const given = Object.entries(flags).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const { environment, runningUrl } = world;
  const settings = new Settings({ environment, runningUrl, flags: Object.fromEntries(given) });
  const progress = progressOn(world.errors, flag('quiet'));
  const call: Call = {
    argument: (name) => text(name) ?? '',
    given: text,
    flag,
    api: () => connect({ url: settings.url, token: settings.key }),
    ...{ settings, progress, paint: paintOf(coloured(world.errors)) },
    isWatched: isWatched(world),
    ask: (question) => ask(world, question),
    input: () => readAll(world.input),
  };
  const json = flag('json');
  try {
    const outcome = await run(call);
    progress.end();
    const printed = json ? JSON.stringify(outcome.data, null, 2) : outcome.text(paintOf(coloured(world.output)));
    if (printed !== '') world.output.write(printed.endsWith('\n') ? printed : `${printed}\n`);
    return outcome.exitCode ?? exitCodes.ok;
  } catch (error) {
    progress.end();
    const failure = failureOf(error, urlOf(settings));
    const printed = json
      ? JSON.stringify(failureData(failure), null, 2)
      : failureLines(failure, paintOf(coloured(world.errors))).join('\n');
    world.errors.write(`${printed}\n`);
    return failure.exitCode;
  }
}

/* Arguments and options by the names that they have in the table. */
function valuesOf(command: Command, parser: Parser): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  const options = parser.opts<Record<string, unknown>>();
  for (const { name } of [...(command.options ?? []), ...commonOptions]) {
    // The parser keeps `--no-watch` as `watch: false`.
    const negated = /^no-(.+)$/.exec(name)?.[1];
    values[name] = negated === undefined ? options[camelCase(name)] : options[camelCase(negated)] === false;
  }
  (command.arguments ?? []).forEach(({ name }, index) => {
    values[name] = parser.args[index];
  });
  return values;
}

const camelCase = (name: string): string => name.replaceAll(/-(\w)/g, (_all, letter: string) => letter.toUpperCase());

function urlOf(settings: Settings): string {
  try {
    return settings.url;
  } catch {
    return 'the address that is set';
  }
}

const isWatched = ({ input, errors }: World): boolean => input.isTTY && errors.isTerminal;

async function ask(world: World, question: string): Promise<string | null> {
  if (!isWatched(world)) return null;
  const { input } = world;
  const reader = createInterface({ input, output: process.stderr });
  try {
    return (await reader.question(question)).trim();
  } finally {
    reader.close();
  }
}

async function readAll(input: NodeJS.ReadStream): Promise<string> {
  if (input.isTTY) throw new Failure(exitCodes.usage, 'usage', 'Nothing comes on standard input.');
  let text = '';
  for await (const chunk of input.setEncoding('utf8')) text += String(chunk);
  return text;
}
