import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { ConfigError, readConfig, readSecret, temporalConnectionOptions, variableNames } from './env.js';

function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe('readConfig', () => {
  test('with nothing set everything is embedded', () => {
    expect(readConfig({})).toEqual({
      databaseUrl: null,
      temporal: { address: null, namespace: 'default', apiKey: null, tls: null },
      apiPort: 3210,
      access: {
        hostKey: null,
        publicUrl: 'http://127.0.0.1:3210',
        signIn: null,
        session: { idle: 60, absolute: 600, recheck: 15 },
        demoPasswordHash: null,
        rates: { read: 3000, write: 600, work: 120, signIn: 30 },
        processes: 1,
        trustedProxies: [],
      },
      metricsPort: null,
      drainSeconds: 0,
      tracesUrl: null,
      logLevel: 'info',
      dataFolder: '.concord',
      spoolFolder: '.concord/spool',
      corpus: null,
    });
  });

  test('a password for the demo is taken for its own database on this machine, and refused elsewhere', () => {
    const demo = {
      CONCORD_DEMO_PASSWORD_HASH: 'a'.repeat(64),
      DATABASE_URL: 'postgres://postgres@127.0.0.1:5432/concord_demo',
    };
    expect(readConfig(demo).access.demoPasswordHash).toBe('a'.repeat(64));
    const others: Record<string, string>[] = [
      { DATABASE_URL: 'postgres://postgres@127.0.0.1:5432/concord' },
      { DATABASE_URL: 'postgres://postgres@db.example:5432/concord_demo' },
      { DATABASE_URL: '' },
      { CONCORD_PUBLIC_URL: 'https://concord.example' },
      { CONCORD_DEMO_PASSWORD_HASH: 'open' },
    ];
    for (const other of others)
      expect(problemsOf({ ...demo, ...other })).toEqual([expect.stringContaining('CONCORD_DEMO_PASSWORD_HASH')]);
  });

  test('an empty or blank variable counts as absent', () => {
    expect(readConfig({ DATABASE_URL: '', CONCORD_API_PORT: '  ' })).toEqual(readConfig({}));
  });

  test('tells all that is wrong at once, and never a value', () => {
    const problems = problemsOf({
      DATABASE_URL: 'mysql://root:hunter2@host/db',
      TEMPORAL_ADDRESS: 'https://cloud.example',
      TEMPORAL_TLS: 'perhaps',
      TEMPORAL_TLS_CERT_PATH: '/nowhere/hunter2.pem',
      CONCORD_API_PORT: '70000',
      CONCORD_LOG_LEVEL: 'loud',
      CONCORD_PUBLIC_URL: 'http://hunter2.example',
      CONCORD_SIGN_IN: '/nowhere/hunter2.yaml',
      CONCORD_SESSION_MINUTES: '5',
      CONCORD_RATE_READ: '0',
      CONCORD_TRUSTED_PROXIES: '10.0.0.0/33, hunter2',
      CONCORD_METRICS_PORT: 'hunter2',
      CONCORD_DRAIN_SECONDS: '1000',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'hunter2:4318',
    });
    expect(problems.join('\n')).not.toContain('hunter2');
    expect(problems.map((problem) => problem.split(' ')[0]).sort()).toEqual([
      'CONCORD_API_PORT',
      'CONCORD_DRAIN_SECONDS',
      'CONCORD_LOG_LEVEL',
      'CONCORD_METRICS_PORT',
      'CONCORD_PUBLIC_URL',
      'CONCORD_RATE_READ',
      'CONCORD_SESSION_IDLE_MINUTES',
      'CONCORD_SIGN_IN',
      'CONCORD_TRUSTED_PROXIES',
      'DATABASE_URL',
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      'TEMPORAL_ADDRESS',
      'TEMPORAL_TLS',
      'TEMPORAL_TLS_CERT_PATH',
      'TEMPORAL_TLS_CERT_PATH',
    ]);
  });

  test.each([
    ['an API key without an address', { TEMPORAL_API_KEY: 'key' }, /TEMPORAL_ADDRESS must be set/],
    [
      'an API key without encryption',
      { TEMPORAL_ADDRESS: 'a.example:7233', TEMPORAL_API_KEY: 'key', TEMPORAL_TLS: 'false' },
      /neither travels without encryption/,
    ],
  ])('refuses %s', (_case, environment, complaint) => {
    expect(problemsOf(environment)).toEqual([expect.stringMatching(complaint)]);
  });
});

describe('temporalConnectionOptions', () => {
  test('the embedded server needs its address only', () => {
    expect(temporalConnectionOptions(readConfig({}).temporal, '127.0.0.1:7233')).toEqual({ address: '127.0.0.1:7233' });
  });

  test('an API key brings encryption and the header that routes', () => {
    const { temporal } = readConfig({
      TEMPORAL_ADDRESS: 'eu.example:7233',
      TEMPORAL_NAMESPACE: 'school.abc',
      TEMPORAL_API_KEY: 'key',
    });
    expect(temporalConnectionOptions(temporal, 'eu.example:7233')).toEqual({
      address: 'eu.example:7233',
      tls: true,
      apiKey: 'key',
      metadata: { 'temporal-namespace': 'school.abc' },
    });
  });

  test('a client certificate is handed over', () => {
    const thisFile = new URL(import.meta.url).pathname;
    const { temporal } = readConfig({
      TEMPORAL_ADDRESS: 'eu.example:7233',
      TEMPORAL_TLS_CERT_PATH: decodeURIComponent(thisFile),
      TEMPORAL_TLS_KEY_PATH: decodeURIComponent(thisFile),
      TEMPORAL_TLS_SERVER_NAME: 'temporal.example',
    });
    expect(temporalConnectionOptions(temporal, 'eu.example:7233').tls).toEqual({
      serverNameOverride: 'temporal.example',
      clientCertPair: { crt: expect.any(Buffer), key: expect.any(Buffer) },
    });
  });
});

test('configuration may refer to secrets only, not to the rest of the environment', () => {
  const environment = { CONCORD_SECRET_FINANCE: 'finance', DATABASE_URL: 'postgres://…' };
  expect(readSecret('CONCORD_SECRET_FINANCE', environment)).toBe('finance');
  expect(readSecret('CONCORD_SECRET_OTHER', environment)).toBeNull();
  expect(() => readSecret('DATABASE_URL', environment)).toThrow(/must begin with CONCORD_SECRET_/);
});

test('.env.example lists exactly what is read', () => {
  const example = readFileSync(new URL('../.env.example', import.meta.url), 'utf8');
  const listed = [...example.matchAll(/^# ([A-Z_]+)=/gm)].map((match) => match[1]);
  expect(listed.sort()).toEqual([...variableNames].sort());
});
