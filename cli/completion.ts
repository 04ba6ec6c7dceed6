import type { Command, OptionSpec } from './command.js';
import { commonOptions } from './parser.js';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** What can follow a command: `path` is the words typed before. */
interface Place {
  readonly path: readonly string[];
  readonly words: readonly { readonly word: string; readonly help: string }[];
  readonly options: readonly OptionSpec[];
}

/** A script for a shell, made of the table of commands. */
export function completionScript(shell: Shell, commands: readonly Command[]): string {
  const places = placesOf([], commands, []);
  return { bash, zsh, fish }[shell](places);
}

function placesOf(
  path: readonly string[],
  commands: readonly Command[],
  options: readonly OptionSpec[],
): readonly Place[] {
  const here: Place = { path, words: commands.map(({ name, summary }) => ({ word: name, help: summary })), options };
  return [
    here,
    ...commands.flatMap(({ name, subcommands = [], options: own = [], run }) =>
      placesOf([...path, name], subcommands, run === undefined ? [] : [...own, ...commonOptions]),
    ),
  ];
}

const flagsOf = (place: Place): readonly string[] => [...place.options.map(({ name }) => `--${name}`), '--help'];

/* Words typed so far that are no options decide the place; after an option with fixed values those are offered. */
const bash = (places: readonly Place[]): string => `# concord completion for bash
_concord() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
${places
  .filter(({ path }) => path.length > 0)
  .map(({ path }) => `      " ${path.join(' ')}") path=" ${path.join(' ')}" ;;`)
  .join('\n')}
    esac
  done
  case "$path:$previous" in
${places
  .flatMap(({ path, options }) =>
    options
      .filter(({ choices }) => choices !== undefined)
      .map(
        ({ name, choices = [] }) =>
          `    "${pathWord(path)}:--${name}") COMPREPLY=($(compgen -W "${choices.join(' ')}" -- "$current")); return ;;`,
      ),
  )
  .join('\n')}
  esac
  case "$path" in
${places
  .map(
    (place) =>
      `    "${pathWord(place.path)}") COMPREPLY=($(compgen -W "${[...place.words.map(({ word }) => word), ...flagsOf(place)].join(' ')}" -- "$current")) ;;`,
  )
  .join('\n')}
  esac
}
complete -o default -F _concord concord
`;

const pathWord = (path: readonly string[]): string => (path.length === 0 ? '' : ` ${path.join(' ')}`);

const zsh = (places: readonly Place[]): string => `#compdef concord
# concord completion for zsh
_concord() {
  local path="" word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$path $word" in
${places
  .filter(({ path }) => path.length > 0)
  .map(({ path }) => `      " ${path.join(' ')}") path=" ${path.join(' ')}" ;;`)
  .join('\n')}
    esac
  done
  local -a offered
  case "$path:\${words[CURRENT-1]}" in
${places
  .flatMap(({ path, options }) =>
    options
      .filter(({ choices }) => choices !== undefined)
      .map(({ name, choices = [] }) => `    "${pathWord(path)}:--${name}") compadd -- ${choices.join(' ')}; return ;;`),
  )
  .join('\n')}
  esac
  case "$path" in
${places
  .map((place) => {
    const offered = [
      ...place.words.map(({ word, help }) => `${word}:${help}`),
      ...place.options.map(({ name, description }) => `--${name}:${description}`),
      '--help:show how',
    ].map((line) => `'${line.replaceAll("'", '’')}'`);
    return `    "${pathWord(place.path)}") offered=(${offered.join(' ')}) ;;`;
  })
  .join('\n')}
  esac
  _describe 'concord' offered || _files
}
compdef _concord concord
`;

const fish = (places: readonly Place[]): string =>
  [
    '# concord completion for fish',
    'function __concord_at',
    '  set -l words (commandline -opc)[2..-1] | string match -v -- "-*"',
    '  set -l typed (string match -v -- "-*" $words)',
    '  set -l wanted $argv',
    '  test (count $typed) -ge (count $wanted); or return 1',
    '  for i in (seq (count $wanted)); test "$typed[$i]" = "$wanted[$i]"; or return 1; end',
    'end',
    ...places.flatMap((place) => {
      const at = place.path.length === 0 ? '__fish_use_subcommand' : `__concord_at ${place.path.join(' ')}`;
      return [
        ...place.words.map(
          ({ word, help }) => `complete -c concord -f -n '${at}' -a '${word}' -d '${help.replaceAll("'", '’')}'`,
        ),
        ...place.options.map(
          ({ name, short, value, choices, description }) =>
            `complete -c concord -n '${at}' -l ${name}${short === undefined ? '' : ` -s ${short}`}${value === undefined ? '' : ' -r'}${
              choices === undefined ? '' : ` -f -a '${choices.join(' ')}'`
            } -d '${description.replaceAll("'", '’')}'`,
        ),
      ];
    }),
    '',
  ].join('\n');
