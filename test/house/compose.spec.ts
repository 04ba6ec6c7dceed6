import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';

interface Service {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly volumes?: readonly string[];
  readonly configs?: readonly { readonly source: string }[];
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly configs: Readonly<Record<string, { readonly content: string }>>;
}

const compose = parse(readFileSync(new URL('../../temporal-compose.yml', import.meta.url), 'utf8')) as Compose;
const services = Object.entries(compose.services);

describe('temporal-compose.yml', () => {
  test('has PostgreSQL, Temporal on it, and the Web UI', () => {
    const images = services.map(([, { image }]) => image.split(':')[0]);
    expect(images).toEqual(expect.arrayContaining(['postgres', 'temporalio/server', 'temporalio/ui']));
    expect(compose.services['temporal']?.environment).toMatchObject({ DB: 'postgres12', POSTGRES_SEEDS: 'postgresql' });
  });

  test.each(services)('%s is pinned to a version', (_name, { image }) => {
    expect(image).toMatch(/^[a-z/-]+:\d+\.\d+(\.\d+)?$/);
  });

  test('the Web UI cannot write', () => {
    expect(compose.services['temporal-ui']?.environment?.['TEMPORAL_DISABLE_WRITE_ACTIONS']).toBe('true');
  });

  test('no port is open to other machines, and no password is written down', () => {
    const ports = services.flatMap(([, service]) => service.ports ?? []);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    expect(ports).toHaveLength(3);
    for (const [, { environment }] of services) {
      for (const [name, value] of Object.entries(environment ?? {})) {
        if (/PASSWORD|PWD/.test(name)) expect(value).toMatch(/^\$\{POSTGRES_PASSWORD:\?/);
      }
    }
  });

  test('what it refers to is there', () => {
    for (const [, service] of services) {
      for (const other of Object.keys(service.depends_on ?? {})) expect(compose.services).toHaveProperty(other);
      for (const volume of service.volumes ?? []) expect(compose.volumes).toHaveProperty(volume.split(':')[0] ?? '');
      for (const { source } of service.configs ?? [])
        expect(parse(compose.configs[source]?.content ?? '')).toBeTruthy();
    }
  });
});
