import { expect, test } from '@jest/globals';
import { createLog, redactedPaths, runLog } from './log.js';
import type { Log } from './log.js';

function logInto(lines: string[], level = 'info'): Log {
  return createLog({ name: 'test', level, destination: { write: (line: string) => lines.push(line) } });
}

function written(write: (log: Log) => void): Record<string, unknown> {
  const lines: string[] = [];
  write(logInto(lines));
  return JSON.parse(lines.join('')) as Record<string, unknown>;
}

test('a line names its level, its time, its process and its run', () => {
  const line = written((log) => {
    runLog(log, 'run-7').info({ extracted: 12 }, 'extracted');
  });
  expect(line).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    process: process.pid,
    name: 'test',
    runId: 'run-7',
    extracted: 12,
    msg: 'extracted',
  });
});

test('what stands under a telling name is blanked at the top and two levels below', () => {
  const names = redactedPaths.filter((path) => path.startsWith('[')).map((path) => path.slice(2, -2));
  expect(names.length).toBeGreaterThan(25);
  for (const name of names) {
    const line = written((log) => {
      log.info({ [name]: 'hunter2', a: { [name]: 'hunter2', b: { [name]: 'hunter2' } } });
    });
    expect(JSON.stringify(line)).not.toContain('hunter2');
    expect(line[name]).toBe('[redacted]');
  }
});

test('a password in a connection string is blanked wherever it is quoted', () => {
  const line = written((log) => {
    const cause = new Error('at postgres://sis:hunter2@host/db');
    log.error({ err: new Error('no answer from postgres://sis:hunter2@host/db', { cause }) }, 'mysql://a:hunter2@b');
  });
  expect(JSON.stringify(line)).not.toContain('hunter2');
  expect(line['msg']).toBe('mysql://a:[redacted]@b');
});

test('an error keeps code and cause; what a database says of values is withheld, message and detail', () => {
  const error = Object.assign(new Error('invalid input syntax for type date: "amara@lakeside.example"'), {
    code: '22007',
    detail: 'Key (email)=(amara@lakeside.example) already exists.',
    cause: new Error('below'),
  });
  const line = written((log) => {
    log.error({ err: error });
  });
  expect(line['err']).toMatchObject({ code: '22007', message: '[it may quote a value]', cause: { message: 'below' } });
  expect(JSON.stringify(line)).not.toContain('amara');
});

test('an error of the database that quotes no value keeps its message', () => {
  const error = Object.assign(new Error('relation "stores" does not exist'), { code: '42P01' });
  const line = written((log) => {
    log.error({ err: error });
  });
  expect(line['err']).toMatchObject({ code: '42P01', message: 'relation "stores" does not exist' });
});
test('a level below the chosen one is not written', () => {
  const lines: string[] = [];
  logInto(lines, 'warn').info('quiet');
  expect(lines).toEqual([]);
});
