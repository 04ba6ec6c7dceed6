import Table from 'cli-table3';
import pico from 'picocolors';

/** Colours, or none. */
export type Paint = ReturnType<typeof pico.createColors>;

export const paintOf = (colours: boolean): Paint => pico.createColors(colours);

/** What goes on, for those who wait. */
export interface Progress {
  /** What is being done now; takes the place of the line before where somebody watches. */
  now(line: string): void;
  /** A line that stays. */
  note(line: string): void;
  /** Takes the passing line away. */
  end(): void;
}

/** Where a command prints. */
export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
}

/** On a terminal one line that changes; elsewhere a line for each thing that is new. */
export function progressOn(output: Output, quiet: boolean): Progress {
  if (quiet) return { now: () => undefined, note: () => undefined, end: () => undefined };
  let last = '';
  const clear = (): void => {
    if (output.isTerminal && last !== '') output.write('\r\u001b[2K');
  };
  return {
    now(line) {
      if (line === last) return;
      clear();
      last = line;
      output.write(output.isTerminal ? line : `${line}\n`);
    },
    note(line) {
      clear();
      last = '';
      output.write(`${line}\n`);
    },
    end() {
      clear();
      last = '';
    },
  };
}

const borderless = Object.fromEntries(
  [
    ...['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right'],
    ...['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'],
  ].map((part) => [part, '']),
);

/* Between the cells of a key of several columns; a bar stands for it where people read or type such a key. */
const keySeparator = '\u001f';

/** Rows under their headings, in columns; `none` where there are no rows. */
export function tableOf(
  paint: Paint,
  headings: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
  none: string,
): string {
  if (rows.length === 0) return none;
  const table = new Table({
    head: headings.map((heading) => paint.bold(heading)),
    chars: { ...borderless, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  });
  table.push(
    ...rows.map((row) => row.map((cell) => (cell === null ? '' : String(cell).replaceAll(keySeparator, '|')))),
  );
  return withoutTrailingSpaces(table.toString());
}

/** Names and what they are, one a line. */
export function factsOf(paint: Paint, facts: readonly (readonly [string, string | number | null])[]): string {
  const shown = facts.filter((fact): fact is readonly [string, string | number] => fact[1] !== null && fact[1] !== '');
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${paint.dim(name.padEnd(width))}  ${value}`).join('\n');
}

const withoutTrailingSpaces = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.replace(/\s+$/, ''))
    .join('\n');

/** A moment as people read it: to the minute, in UTC. */
export const moment = (text: string | null): string => (text === null ? '' : text.slice(0, 16).replace('T', ' '));

const good: readonly string[] = ['completed', 'ok', 'applied', 'settled', 'agreed', 'ready'];
const bad: readonly string[] = ['failed', 'failing', 'rolled_back', 'wrong'];
const waits: readonly string[] = ['completed_with_questions', 'attention', 'pending', 'held', 'warning'];

/** A state with its colour. */
export const stateOf = (paint: Paint, state: string): string => {
  const words = state.replaceAll('_', ' ');
  if (good.includes(state)) return paint.green(words);
  if (bad.includes(state)) return paint.red(words);
  return waits.includes(state) ? paint.yellow(words) : words;
};
