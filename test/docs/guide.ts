import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/* A guide is run as a reader would run it. What a fence says after its language decides what is done with it:

   ```sh run              run, in one folder, with what earlier blocks exported; ends with 0
   ```sh run exit=3       ends with 3
   ```sh run retry        again until the output below is what it prints: for what happens a moment later
   ```sh background ready=/^up/   runs until the end of the guide; a line like this says that it is up
   ```yaml file=a/b.yaml  is a file of this name
   ```text output         what the block above prints; … stands for anything within a line, a line of … for any lines */

export interface Step {
  readonly line: number;
  readonly does: 'run' | 'background' | 'file';
  readonly text: string;
  readonly path: string;
  readonly ready: RegExp | null;
  readonly exitCode: number;
  readonly retries: boolean;
  readonly output: string | null;
}

/** The steps of a guide. @throws Error where a fence says what nobody knows */
export function stepsOf(markdown: string): readonly Step[] {
  const steps: Step[] = [];
  const lines = markdown.split('\n');
  for (let index = 0; index < lines.length; index += 1) {
    const [, language = '', words = ''] = /^```(\w+) (.+)$/.exec(lines[index] ?? '') ?? [];
    if (language === '') continue;
    const begin = index + 1;
    while (lines[index + 1] !== '```') index += 1;
    index += 1;
    const text = lines.slice(begin, index).join('\n');
    if (words === 'output') {
      const last = steps.pop();
      if (last?.does !== 'run') throw new Error(`line ${begin}: an output of nothing`);
      steps.push({ ...last, output: text });
    } else steps.push(stepOf(begin, text, words));
  }
  return steps;
}

function stepOf(line: number, text: string, words: string): Step {
  const [does = '', ...more] = words.split(' ');
  const step = { line, text, path: '', ready: null, exitCode: 0, retries: false, output: null };
  const rest = more.join(' ');
  if (does.startsWith('file=')) return { ...step, does: 'file', path: does.slice('file='.length) };
  const [, ready] = /^ready=\/(.+)\/$/.exec(rest) ?? [];
  if (does === 'background' && ready !== undefined) return { ...step, does, ready: new RegExp(ready, 'm') };
  const [, exit, retry] = /^(?:exit=(\d))?(retry)?$/.exec(rest) ?? [];
  if (does !== 'run' || (rest !== '' && exit === undefined && retry === undefined))
    throw new Error(`line ${line}: nobody knows what \`${words}\` is`);
  return { ...step, does, exitCode: Number(exit ?? 0), retries: retry !== undefined };
}

/** Whether a text is what was expected, where `…` stands for anything. */
export function fits(expected: string, printed: string): boolean {
  const pattern = expected
    .trim()
    .split('\n')
    .map((line) =>
      line.trim() === '…'
        ? '(?:.*\n)*?.*'
        : line
            .trimEnd()
            .split('…')
            .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
            .join('.*'),
    )
    .join('\n');
  const text = printed
    .trim()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
  return new RegExp(`^${pattern}$`).test(text);
}

const patienceMilliseconds = 120_000;

/** A reader at a terminal. */
export class Reader {
  private readonly background: ChildProcess[] = [];

  constructor(
    private readonly folder: string,
    private readonly environment: Readonly<Record<string, string>>,
  ) {
    mkdirSync(folder, { recursive: true });
  }

  /** Does one step; returns what it printed. @throws Error that names the line where it went otherwise than the guide says */
  async follow(step: Step): Promise<string> {
    if (step.does === 'file') {
      const file = join(this.folder, step.path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `${step.text}\n`);
      return '';
    }
    if (step.does === 'background') {
      await this.start(step);
      return '';
    }
    const until = Date.now() + patienceMilliseconds;
    for (;;) {
      const { exitCode, out, err } = await this.shell(step.text);
      const well = exitCode === step.exitCode && (step.output === null || fits(step.output, out === '' ? err : out));
      if (well) return out === '' ? err : out;
      if (!step.retries || Date.now() > until)
        throw new Error(
          `line ${step.line}: ended with ${exitCode}, not ${step.exitCode}, or printed something else than the guide says:\n${out}${err}`,
        );
      await pause(300);
    }
  }

  async close(): Promise<void> {
    for (const child of this.background) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGTERM');
      await ended;
    }
  }

  /* What a block exports is there in the next one, as in one terminal. */
  private async shell(text: string): Promise<{ exitCode: number; out: string; err: string }> {
    const kept = join(this.folder, '.environment');
    const script = `${existsSync(kept) ? `source '${kept}'\n` : ''}trap 'code=$?; declare -px > "${kept}"; exit $code' EXIT\nset -eo pipefail\n${text}\n`;
    const child = this.spawn(script);
    let [out, err] = ['', ''];
    child.stdout?.setEncoding('utf8').on('data', (part: string) => (out += part));
    child.stderr?.setEncoding('utf8').on('data', (part: string) => (err += part));
    const exitCode = await new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)));
    return { exitCode, out, err };
  }

  private async start({ text, ready, line }: Step): Promise<void> {
    const kept = join(this.folder, '.environment');
    const child = this.spawn(`${existsSync(kept) ? `source '${kept}'\n` : ''}exec ${text}`);
    this.background.push(child);
    let printed = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (part: string) => (printed += part));
    const until = Date.now() + patienceMilliseconds;
    while (ready?.test(printed) !== true) {
      if (child.exitCode !== null || Date.now() > until) throw new Error(`line ${line}: did not come up:\n${printed}`);
      await pause(50);
    }
  }

  private spawn(script: string): ChildProcess {
    const { NODE_OPTIONS: _options, JEST_WORKER_ID: _worker, FORCE_COLOR: _colour, ...ours } = process.env;
    return spawn('bash', ['-c', script], {
      cwd: this.folder,
      env: { ...ours, ...this.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}

/** Writes what was printed into the guide, in the place of each output that is not what was expected. */
export function withOutputs(file: string, printed: ReadonlyMap<number, string>): void {
  const lines = readFileSync(file, 'utf8').split('\n');
  for (const [line, text] of [...printed].sort(([a], [b]) => b - a)) {
    const begin = lines.findIndex((one, index) => index >= line && one === '```text output');
    const end = lines.findIndex((one, index) => index > begin && one === '```');
    lines.splice(
      begin + 1,
      end - begin - 1,
      ...text
        .trimEnd()
        .split('\n')
        .map((one) => withoutWhatDiffers(one.trimEnd())),
    );
  }
  writeFileSync(file, lines.join('\n'));
}

/* Days and times, ids that are made by chance, places of this machine. */
const differs =
  /\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:[\d.]+Z?)?|(?<=as of +)\d{4}-\d\d-\d\d|\d+ \w+ 20\d\d|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|\/tmp\/\S+|127\.0\.0\.1:\d+/g;

const withoutWhatDiffers = (line: string): string => line.replaceAll(differs, '…');
