import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseDocument } from 'yaml';

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** How to reach Temporal. `address` null: the embedded server. */
export interface TemporalConfig {
  readonly address: string | null;
  readonly namespace: string;
  readonly apiKey: string | null;
  /** null: no encryption. `clientCertificate` null: the server does not ask for one. */
  readonly tls: TemporalTls | null;
}

export interface TemporalTls {
  readonly clientCertificate: { readonly crt: Buffer; readonly key: Buffer } | null;
  /** Certificate authority of the server, null: the system's. */
  readonly serverAuthority: Buffer | null;
  /** Name in the server's certificate where it differs from the address. */
  readonly serverName: string | null;
}

/** How people and programs come to the API. */
export interface AccessConfig {
  /** Where they reach it, as an origin without a slash at its end: cookies and the way back from a provider go by it. */
  readonly publicUrl: string;
  /** What makes its bearer the host, who makes institutions; null: nobody is. */
  readonly hostKey: string | null;
  /** What the file that CONCORD_SIGN_IN names says of OpenID providers, not judged yet; null: nobody signs in. */
  readonly signIn: unknown;
  /** Of sessions, in minutes. */
  readonly session: { readonly idle: number; readonly absolute: number; readonly recheck: number };
  /** sha256 (hex) of the password with which the demo lets its visitors in; null, as everywhere else: nobody signs in without a
   *  provider. */
  readonly demoPasswordHash: string | null;
  /** Requests a minute of one caller, of each class of route; `signIn`: of one address, as are refused keys. */
  readonly rates: { readonly read: number; readonly write: number; readonly work: number; readonly signIn: number };
  /** API processes that share the requests: each admits its part of the rates. */
  readonly processes: number;
  /** Whose X-Forwarded-For is believed: addresses and networks; none: nobody's. */
  readonly trustedProxies: readonly string[];
}

export interface Config {
  /** null: the embedded PostgreSQL. */
  readonly databaseUrl: string | null;
  readonly temporal: TemporalConfig;
  readonly apiPort: number;
  readonly access: AccessConfig;
  /** Where a process tells its metrics, null: nowhere. */
  readonly metricsPort: number | null;
  /** How long the API still takes requests after it has said that it is not ready: until a load balancer has noticed. */
  readonly drainSeconds: number;
  /** Where traces go (OTLP over HTTP), null: nowhere. */
  readonly tracesUrl: string | null;
  readonly logLevel: LogLevel;
  /** Where embedded servers keep their data, relative to the project's folder. */
  readonly dataFolder: string;
  /** Where the API leaves uploaded deliveries and the worker takes them over: both have to reach it. */
  readonly spoolFolder: string;
  /** Folder of real data sets for the tests that want them, null: those tests are left out. */
  readonly corpus: string | null;
}

/** Every variable that is read, as `.env.example` lists them. */
export const variableNames = [
  'DATABASE_URL',
  'TEMPORAL_ADDRESS',
  'TEMPORAL_NAMESPACE',
  'TEMPORAL_API_KEY',
  'TEMPORAL_TLS',
  'TEMPORAL_TLS_CERT_PATH',
  'TEMPORAL_TLS_KEY_PATH',
  'TEMPORAL_TLS_CA_PATH',
  'TEMPORAL_TLS_SERVER_NAME',
  'CONCORD_API_PORT',
  'CONCORD_PUBLIC_URL',
  'CONCORD_HOST_KEY',
  'CONCORD_SIGN_IN',
  'CONCORD_SESSION_IDLE_MINUTES',
  'CONCORD_SESSION_MINUTES',
  'CONCORD_SESSION_RECHECK_MINUTES',
  'CONCORD_DEMO_PASSWORD_HASH',
  'CONCORD_RATE_READ',
  'CONCORD_RATE_WRITE',
  'CONCORD_RATE_WORK',
  'CONCORD_RATE_SIGN_IN',
  'CONCORD_API_PROCESSES',
  'CONCORD_TRUSTED_PROXIES',
  'CONCORD_METRICS_PORT',
  'CONCORD_DRAIN_SECONDS',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'CONCORD_LOG_LEVEL',
  'CONCORD_DATA_FOLDER',
  'CONCORD_SPOOL_FOLDER',
  'CONCORD_CORPUS',
  'CONCORD_URL',
  'CONCORD_API_KEY',
  'CONCORD_PROFILE',
] as const;

type VariableName = (typeof variableNames)[number];
type Environment = Readonly<Record<string, string | undefined>>;

/** Everything that is wrong with the environment, in one error. Never holds a value: it may be a secret. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`The environment is not right:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/** Reads and checks the whole environment at once. An empty variable counts as absent.
 *  @throws ConfigError with all problems together */
export function readConfig(environment: Environment = process.env): Config {
  const reader = new Reader(environment);
  const apiPort = reader.port('CONCORD_API_PORT', 3210);
  const config: Config = {
    databaseUrl: reader.databaseUrl(),
    temporal: readTemporal(reader),
    apiPort,
    access: readAccess(reader, apiPort),
    metricsPort: reader.port('CONCORD_METRICS_PORT', null),
    drainSeconds: reader.seconds('CONCORD_DRAIN_SECONDS', 0, 120),
    tracesUrl: reader.webAddress('OTEL_EXPORTER_OTLP_ENDPOINT'),
    logLevel: reader.oneOf('CONCORD_LOG_LEVEL', logLevels, 'info'),
    dataFolder: reader.text('CONCORD_DATA_FOLDER') ?? '.concord',
    spoolFolder: reader.text('CONCORD_SPOOL_FOLDER') ?? `${reader.text('CONCORD_DATA_FOLDER') ?? '.concord'}/spool`,
    corpus: reader.text('CONCORD_CORPUS'),
  };
  if (reader.problems.length > 0) throw new ConfigError(reader.problems);
  return config;
}

/** What `Connection.connect` (client) and `NativeConnection.connect` (worker) take. */
export interface TemporalConnectionOptions {
  readonly address: string;
  readonly tls?:
    | true
    | { serverNameOverride?: string; serverRootCACertificate?: Buffer; clientCertPair?: { crt: Buffer; key: Buffer } };
  readonly apiKey?: string;
  readonly metadata?: Record<string, string>;
}

/** Connection options as Temporal Cloud wants them; `address` is the embedded server's where none is configured. */
export function temporalConnectionOptions(temporal: TemporalConfig, address: string): TemporalConnectionOptions {
  return {
    address,
    ...(temporal.tls === null ? {} : { tls: tlsOptions(temporal.tls) }),
    // Requests made with an API key are routed by this header.
    ...(temporal.apiKey === null
      ? {}
      : { apiKey: temporal.apiKey, metadata: { 'temporal-namespace': temporal.namespace } }),
  };
}

const secretPrefix = 'CONCORD_SECRET_';

/** A secret that a system's configuration refers to by the name of its variable, null where it is not set. Only variables
 *  that begin with `CONCORD_SECRET_`: whoever writes configuration must not be able to read the rest of the environment. */
export function readSecret(name: string, environment: Environment = process.env): string | null {
  if (!name.startsWith(secretPrefix))
    throw new ConfigError([`${name} is no secret's name: it must begin with ${secretPrefix}`]);
  return environment[name] ?? null;
}

/** Names of the secrets of systems that are set here. */
export function secretsSet(environment: Environment = process.env): readonly string[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith(secretPrefix))
    .sort();
}

/** What the command line takes from the environment. */
export interface CliEnvironment {
  readonly url: string | null;
  readonly key: string | null;
  readonly profile: string | null;
  /** Where it keeps keys: `~/.config/concord`. */
  readonly configFolder: string;
  /** Whether NO_COLOR or FORCE_COLOR decide (https://no-color.org); null: the terminal does. */
  readonly colours: boolean | null;
}

/** Reads what concerns the command line alone. Never fails. */
export function readCliEnvironment(environment: Environment = process.env): CliEnvironment {
  const reader = new Reader(environment);
  const isSet = (name: string): boolean => (environment[name] ?? '') !== '';
  const configHome = environment['XDG_CONFIG_HOME'];
  return {
    url: reader.text('CONCORD_URL'),
    key: reader.text('CONCORD_API_KEY'),
    profile: reader.text('CONCORD_PROFILE'),
    configFolder: join(
      isSet('XDG_CONFIG_HOME') && configHome !== undefined ? configHome : join(homedir(), '.config'),
      'concord',
    ),
    colours:
      isSet('NO_COLOR') || environment['TERM'] === 'dumb'
        ? false
        : isSet('FORCE_COLOR')
          ? !['0', 'false'].includes(environment['FORCE_COLOR'] ?? '')
          : null,
  };
}

/** The environment of a process that we start: ours, with these variables over it; null takes one away. */
export function childEnvironment(over: Readonly<Record<string, string | null>>): Readonly<Record<string, string>> {
  const all = Object.entries({ ...process.env, ...over });
  return Object.fromEntries(all.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

function tlsOptions(tls: TemporalTls): TemporalConnectionOptions['tls'] {
  if (tls.clientCertificate === null && tls.serverAuthority === null && tls.serverName === null) return true;
  return {
    ...(tls.serverName === null ? {} : { serverNameOverride: tls.serverName }),
    ...(tls.serverAuthority === null ? {} : { serverRootCACertificate: tls.serverAuthority }),
    ...(tls.clientCertificate === null ? {} : { clientCertPair: tls.clientCertificate }),
  };
}

function readTemporal(reader: Reader): TemporalConfig {
  const address = reader.temporalAddress();
  const namespace = reader.text('TEMPORAL_NAMESPACE') ?? 'default';
  const apiKey = reader.text('TEMPORAL_API_KEY');
  const tls = readTls(reader, apiKey !== null);
  if (address === null && (apiKey !== null || tls !== null)) {
    reader.problems.push(
      'TEMPORAL_ADDRESS must be set where TEMPORAL_API_KEY or a TEMPORAL_TLS variable is: the embedded server knows neither',
    );
  }
  return { address, namespace, apiKey, tls };
}

function readTls(reader: Reader, hasApiKey: boolean): TemporalTls | null {
  const crt = reader.file('TEMPORAL_TLS_CERT_PATH');
  const key = reader.file('TEMPORAL_TLS_KEY_PATH');
  const serverAuthority = reader.file('TEMPORAL_TLS_CA_PATH');
  const serverName = reader.text('TEMPORAL_TLS_SERVER_NAME');
  if (reader.isSet('TEMPORAL_TLS_CERT_PATH') !== reader.isSet('TEMPORAL_TLS_KEY_PATH')) {
    reader.problems.push('TEMPORAL_TLS_CERT_PATH and TEMPORAL_TLS_KEY_PATH belong together: set both or neither');
  }
  const implied = hasApiKey || crt !== null || serverAuthority !== null || serverName !== null;
  const wanted = reader.flag('TEMPORAL_TLS') ?? implied;
  if (implied && !wanted) {
    reader.problems.push(
      'TEMPORAL_TLS is off, but an API key or a certificate is set: neither travels without encryption',
    );
  }
  if (!wanted) return null;
  return { clientCertificate: crt !== null && key !== null ? { crt, key } : null, serverAuthority, serverName };
}

function readAccess(reader: Reader, apiPort: number): AccessConfig {
  const idle = reader.whole('CONCORD_SESSION_IDLE_MINUTES', 60);
  const absolute = reader.whole('CONCORD_SESSION_MINUTES', 600);
  const recheck = reader.whole('CONCORD_SESSION_RECHECK_MINUTES', 15);
  if (idle > absolute)
    reader.problems.push('CONCORD_SESSION_IDLE_MINUTES must not be more than CONCORD_SESSION_MINUTES');
  return {
    publicUrl: reader.origin('CONCORD_PUBLIC_URL', `http://127.0.0.1:${String(apiPort)}`),
    hostKey: reader.secret('CONCORD_HOST_KEY', 32),
    signIn: reader.yaml('CONCORD_SIGN_IN'),
    session: { idle, absolute, recheck },
    demoPasswordHash: reader.demoPasswordHash(),
    rates: {
      read: reader.whole('CONCORD_RATE_READ', 3_000),
      write: reader.whole('CONCORD_RATE_WRITE', 600),
      work: reader.whole('CONCORD_RATE_WORK', 120),
      signIn: reader.whole('CONCORD_RATE_SIGN_IN', 30),
    },
    processes: reader.whole('CONCORD_API_PROCESSES', 1),
    trustedProxies: reader.networks('CONCORD_TRUSTED_PROXIES'),
  };
}

class Reader {
  readonly problems: string[] = [];

  constructor(private readonly environment: Environment) {}

  isSet(name: VariableName): boolean {
    return this.text(name) !== null;
  }

  /** Not to be guessed: so long at least. */
  secret(name: VariableName, least: number): string | null {
    const value = this.text(name);
    if (value === null || value.length >= least) return value;
    this.problems.push(`${name} must have ${String(least)} characters or more, that nobody can guess`);
    return null;
  }

  text(name: VariableName): string | null {
    const value = this.environment[name]?.trim();
    return value === undefined || value === '' ? null : value;
  }

  flag(name: VariableName): boolean | null {
    const value = this.text(name)?.toLowerCase();
    if (value === undefined) return null;
    if (['true', '1', 'yes', 'on'].includes(value)) return true;
    if (['false', '0', 'no', 'off'].includes(value)) return false;
    this.problems.push(`${name} must be true or false`);
    return null;
  }

  port<Absent extends number | null>(name: VariableName, absent: Absent): number | Absent {
    const value = this.text(name);
    if (value === null) return absent;
    const port = Number(value);
    if (/^\d+$/.test(value) && port >= 1 && port <= 65_535) return port;
    this.problems.push(`${name} must be a port, 1 to 65535`);
    return absent;
  }

  whole(name: VariableName, absent: number): number {
    const value = this.text(name);
    if (value === null) return absent;
    if (/^\d{1,9}$/.test(value) && Number(value) >= 1) return Number(value);
    this.problems.push(`${name} must be a whole number, 1 or more`);
    return absent;
  }

  /** Without encryption only on this machine: cookies travel there. */
  origin(name: VariableName, absent: string): string {
    const value = this.text(name);
    if (value === null) return absent;
    const url = URL.canParse(value) ? new URL(value) : null;
    const local = url?.protocol === 'http:' && thisMachine.includes(url.hostname);
    if (url !== null && (url.protocol === 'https:' || local) && `${url.origin}/` === url.href) return url.origin;
    this.problems.push(`${name} must be https://host or https://host:port (http:// for this machine only)`);
    return absent;
  }

  /** Addresses and networks (10.0.0.0/8), separated by commas. */
  networks(name: VariableName): readonly string[] {
    const parts = (this.text(name) ?? '').split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]));
    const isNetwork = (part: string): boolean => {
      const [address = '', bits, ...more] = part.split('/');
      const version = isIP(address);
      const most = version === 4 ? 32 : 128;
      return version !== 0 && more.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && +bits <= most));
    };
    if (!parts.every(isNetwork)) this.problems.push(`${name} must be addresses or networks, separated by commas`);
    return parts.filter(isNetwork);
  }

  /** A YAML file as plain data; null where none is named. */
  yaml(name: VariableName): unknown {
    const bytes = this.file(name);
    if (bytes === null) return null;
    const document = parseDocument(bytes.toString('utf8'), { prettyErrors: false });
    const [error] = document.errors;
    if (error === undefined) return document.toJS() as unknown;
    this.problems.push(`${name} names a file that is no YAML (${error.code})`);
    return null;
  }

  seconds(name: VariableName, absent: number, most: number): number {
    const value = this.text(name);
    if (value === null) return absent;
    if (/^\d+$/.test(value) && Number(value) <= most) return Number(value);
    this.problems.push(`${name} must be a number of seconds, 0 to ${most}`);
    return absent;
  }

  webAddress(name: VariableName): string | null {
    const value = this.text(name);
    if (value === null || /^https?:$/.test(protocolOf(value))) return value?.replace(/\/+$/, '') ?? null;
    this.problems.push(`${name} must look like https://host`);
    return null;
  }

  oneOf<T extends string>(name: VariableName, allowed: readonly T[], absent: T): T {
    const value = this.text(name);
    if (value === null) return absent;
    const found = allowed.find((candidate) => candidate === value);
    if (found !== undefined) return found;
    this.problems.push(`${name} must be one of ${allowed.join(', ')}`);
    return absent;
  }

  file(name: VariableName): Buffer | null {
    const path = this.text(name);
    if (path === null) return null;
    try {
      return readFileSync(path);
    } catch (error) {
      this.problems.push(
        `${name} names a file that cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`,
      );
      return null;
    }
  }

  /** Whoever knows the password is whatever they want to be: so only for the data set of the demo, on this machine. */
  demoPasswordHash(): string | null {
    const hash = this.text('CONCORD_DEMO_PASSWORD_HASH');
    if (hash === null) return null;
    const publicUrl = this.text('CONCORD_PUBLIC_URL');
    const database = this.text('DATABASE_URL') ?? '';
    const isDemo =
      /^[0-9a-f]{64}$/.test(hash) &&
      isOfThisMachine(database) &&
      new URL(database).pathname === '/concord_demo' &&
      (publicUrl === null || isOfThisMachine(publicUrl)) &&
      !this.isSet('CONCORD_SIGN_IN');
    if (isDemo) return hash;
    this.problems.push(
      'CONCORD_DEMO_PASSWORD_HASH is set by `npm run demo` alone, for its own database on this machine: leave it unset',
    );
    return null;
  }

  databaseUrl(): string | null {
    const value = this.text('DATABASE_URL');
    if (value === null || /^postgres(ql)?:$/.test(protocolOf(value))) return value;
    this.problems.push('DATABASE_URL must look like postgres://user:password@host:5432/database');
    return null;
  }

  temporalAddress(): string | null {
    const value = this.text('TEMPORAL_ADDRESS');
    if (value === null || /^[^\s/:]+:\d{1,5}$|^\[[0-9a-f:]+\]:\d{1,5}$/i.test(value)) return value;
    this.problems.push('TEMPORAL_ADDRESS must be host:port, without https://');
    return null;
  }
}

const thisMachine: readonly string[] = ['127.0.0.1', 'localhost', '[::1]'];

const isOfThisMachine = (value: string): boolean =>
  URL.canParse(value) && thisMachine.includes(new URL(value).hostname);

function protocolOf(value: string): string {
  return URL.canParse(value) ? new URL(value).protocol : '';
}
