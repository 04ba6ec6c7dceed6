import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CliEnvironment } from '../config/env.js';
import { exitCodes } from './exit-codes.js';
import { Failure, wrongUsage } from './failure.js';

/** Where Concord is, and with which key it is asked. */
export interface Profile {
  readonly url?: string;
  readonly key?: string;
}

interface Stored {
  /** Used where no profile is named. */
  readonly default?: string;
  readonly profiles: Readonly<Record<string, Profile>>;
}

export interface SettingsOptions {
  readonly environment: CliEnvironment;
  /** What the command line says; it stands over the environment, which stands over the file. */
  readonly flags: { readonly url?: string; readonly key?: string; readonly profile?: string };
  /** The address of the platform that runs on this machine, null where none does. */
  readonly runningUrl: () => string | null;
}

const standardUrl = 'http://127.0.0.1:3210';

/** The settings of one use: from flags, else the environment, else `~/.config/concord/config.json`. */
export class Settings {
  private stored: Stored | null = null;

  constructor(private readonly options: SettingsOptions) {}

  /** Where keys are kept. */
  get file(): string {
    return join(this.options.environment.configFolder, 'config.json');
  }

  get url(): string {
    return this.urlOr(() => this.profile().url);
  }

  /** As if no key had been kept yet. */
  get urlWithoutProfile(): string {
    return this.urlOr(() => undefined);
  }

  private urlOr(kept: () => string | undefined): string {
    const { flags, environment, runningUrl } = this.options;
    const url = flags.url ?? environment.url ?? kept() ?? runningUrl() ?? standardUrl;
    if (!/^https?:\/\//.test(url) || !URL.canParse(url))
      throw wrongUsage(`${url} is no address of a server.`, 'It looks like http://127.0.0.1:3210');
    return url.replace(/\/+$/, '');
  }

  /** @throws Failure access where there is none */
  get key(): string {
    const key = this.findKey();
    if (key !== null) return key;
    throw new Failure(exitCodes.access, 'no_key', 'There is no API key to ask with.', {
      remedy:
        'Set CONCORD_API_KEY, or keep one: `concord login`. `concord apply` shows the first keys of an institution.',
    });
  }

  findKey(): string | null {
    const { flags, environment } = this.options;
    return flags.key ?? environment.key ?? this.profile().key ?? null;
  }

  /** Keeps profiles beside those that are there; the first ever becomes the one that is used where none is named. */
  keep(profiles: Readonly<Record<string, Profile>>, standard?: string): void {
    const before = this.read();
    const chosen = standard ?? before.default ?? Object.keys(profiles)[0];
    const stored: Stored = {
      ...(chosen === undefined ? {} : { default: chosen }),
      profiles: { ...before.profiles, ...profiles },
    };
    mkdirSync(dirname(this.file), { recursive: true, mode: 0o700 });
    const draft = `${this.file}.${String(process.pid)}`;
    writeFileSync(draft, `${JSON.stringify(stored, null, 2)}\n`, { mode: 0o600 });
    chmodSync(draft, 0o600);
    renameSync(draft, this.file);
    this.stored = stored;
  }

  /** Keeps the first keys of an institution under the names of their roles; where those are another's already, with the code of the
   *  institution before them. No key that is kept is lost. Returns the names. */
  keepFirst(code: string, profiles: Readonly<Record<string, Profile>>): readonly string[] {
    const { profiles: kept } = this.read();
    for (let tries = 0; ; tries += 1) {
      const prefix = tries === 0 ? '' : tries === 1 ? `${code}-` : `${code}-${String(tries)}-`;
      const named = Object.entries(profiles).map(([role, profile]) => [`${prefix}${role}`, profile] as const);
      if (named.some(([name]) => Object.hasOwn(kept, name))) continue;
      this.keep(Object.fromEntries(named));
      return named.map(([name]) => name);
    }
  }

  private profile(): Profile {
    const { flags, environment } = this.options;
    const stored = this.read();
    const name = flags.profile ?? environment.profile ?? stored.default;
    if (name === undefined) return {};
    const found = stored.profiles[name];
    if (found !== undefined) return found;
    const known = Object.keys(stored.profiles).join(', ') || 'none';
    throw wrongUsage(
      `There is no profile ${name} in ${this.file} (known: ${known}).`,
      `concord login --profile ${name}`,
    );
  }

  private read(): Stored {
    this.stored ??= readStored(this.file);
    return this.stored;
  }
}

function readStored(file: string): Stored {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { profiles: {} };
    throw wrongUsage(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'}).`);
  }
  try {
    const { default: standard, profiles } = JSON.parse(text) as Partial<Stored>;
    return { ...(standard === undefined ? {} : { default: standard }), profiles: profiles ?? {} };
  } catch (cause) {
    throw new Failure(exitCodes.usage, 'usage', `${file} is not JSON.`, {
      remedy: 'Mend it, or remove it and `concord login` again.',
      cause,
    });
  }
}
