import { jest } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCsvConnector } from '../../connectors/csv/connector.js';
import type { CsvFileSettings } from '../../connectors/csv/settings.js';
import type { Delivery, DeliveryReader } from '../../connectors/capabilities.js';
import { describeSource, describeWholeFile } from './contract.js';
import type { SourceWorld } from './contract.js';

// The machine may be busy with other test files.
jest.setTimeout(60_000);

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'concord csv '));
});
afterAll(() => rm(root, { recursive: true, force: true }));

let count = 0;
const newFolder = async (): Promise<string> => {
  count += 1;
  const folder = join(root, `f${String(count)}`);
  await mkdir(folder);
  return folder;
};

const deliveriesOf = (incoming: string, files: Record<string, CsvFileSettings>): DeliveryReader => {
  const { deliveries } = createCsvConnector({ incoming, files });
  if (deliveries === undefined) throw new Error('no deliveries');
  return deliveries;
};
const only = (deliveries: readonly Delivery[]): Delivery => {
  const [delivery] = deliveries;
  if (delivery === undefined || deliveries.length > 1) throw new Error(`${String(deliveries.length)} deliveries`);
  return delivery;
};

describe('CSV', () => {
  let world: SourceWorld;
  beforeAll(async () => {
    const folder = await newFolder();
    const rows = Array.from({ length: 12_000 }, (_, id) => [
      String(id),
      `ü "${String(id)}"`,
      id % 3 === 0 ? 'x\ny' : '',
    ]);
    const lines = rows.map(
      ([id, name, note]) => `${String(id)},"${String(name).replaceAll('"', '""')}","${String(note)}"`,
    );
    lines.splice(8_000, 0, 'too few', '"lone,quote,');
    await writeFile(join(folder, 'staff.csv'), `\ufeffid,name,note\r\n${lines.join('\r\n')}`);
    const deliveries = deliveriesOf(folder, { 'staff.csv': { key: ['id'] } });
    world = {
      reader: deliveries.openDelivery(only(await deliveries.listDeliveries())),
      request: { entity: 'staff.csv', columns: ['id', 'name', 'note'], key: ['id'] },
      expected: rows.map(([id = '', name = '', note]) => [id, name, note === '' || note === undefined ? null : note]),
      aside: 2,
    };
  });
  describeSource('CSV', () => world);

  describeWholeFile('CSV', async () => {
    const outgoing = await newFolder();
    const { file } = createCsvConnector({
      outgoing,
      files: { people: { file: 'people.csv', encoding: 'iso-8859-1' } },
    });
    if (file === undefined) throw new Error('no file target');
    const path = join(outgoing, 'people.csv');
    return {
      file,
      target: { entity: 'people', key: ['id'], columns: ['id', 'name', 'note'] },
      row: (id) => [String(id), `é, ${String(id)}`, null],
      impossible: ['1', '中', null],
      edit: async () => await writeFile(path, 'id,name,note\r\n1,edited,\r\n'),
      names: () => readdir(outgoing),
      content: async () => (await readFile(path)).toString('latin1'),
    };
  });
});

describe('deliveries of files', () => {
  const files = { 'staff.csv': {}, hd: { file: 'hd*.csv' } };

  it('are the loose files and each folder, in name order, with a digest over names and contents', async () => {
    const folder = await newFolder();
    await mkdir(join(folder, '2024-02'));
    await mkdir(join(folder, '2024-01'));
    await mkdir(join(folder, 'empty'));
    await mkdir(join(folder, '.hidden'));
    for (const name of [
      'staff.csv',
      '2024-01/staff.csv',
      '2024-02/hd2019.csv',
      '2024-02/notes.txt',
      '2024-02/staff.csv.part',
      '.hidden/staff.csv',
    ]) {
      await writeFile(join(folder, name), 'id\n1\n');
    }
    const reader = deliveriesOf(folder, files);
    const listed = await reader.listDeliveries();
    expect(
      listed.map(({ name, files: found }) => [name, found.map(({ entity, name: file }) => [entity, file])]),
    ).toEqual([
      ['.', [['staff.csv', 'staff.csv']]],
      ['2024-01', [['staff.csv', 'staff.csv']]],
      ['2024-02', [['hd', 'hd2019.csv']]],
    ]);
    expect(listed[0]?.digest).toBe(listed[1]?.digest);
    expect(listed[0]?.digest).not.toBe(listed[2]?.digest);
    await writeFile(join(folder, 'staff.csv'), 'id\n2\n');
    const again = await reader.listDeliveries();
    expect(again[0]?.digest).not.toBe(listed[0]?.digest);
    expect(again[1]).toEqual(listed[1]);
    await rename(join(folder, '2024-01'), join(folder, '2025-01'));
    expect((await reader.listDeliveries()).map(({ name }) => name)).toEqual(['.', '2024-02', '2025-01']);
    expect((await reader.listDeliveries())[2]?.digest).toBe(listed[1]?.digest);
  });

  const withManifest = async (
    manifest: unknown,
    content = 'id,name\n1,a\n2,b\nbad\n',
  ): Promise<{ reader: DeliveryReader; delivery: Delivery }> => {
    const folder = await newFolder();
    await writeFile(join(folder, 'staff.csv'), content);
    await writeFile(join(folder, 'manifest.json'), typeof manifest === 'string' ? manifest : JSON.stringify(manifest));
    const reader = deliveriesOf(folder, files);
    return { reader, delivery: only(await reader.listDeliveries()) };
  };

  it('hold what their manifest says', async () => {
    const sha256 = createHash('sha256').update('id,name\n1,a\n2,b\nbad\n').digest('hex');
    const manifest = { complete: true, scope: { campus: 'North' }, files: { 'staff.csv': { rows: 3, sha256 } } };
    const { reader, delivery } = await withManifest(manifest);
    expect(delivery.manifest).toEqual(manifest);
    await reader.verifyDelivery(delivery);
    const none = await withManifest({});
    expect(none.delivery.manifest).toEqual({ complete: false, scope: {}, files: {} });
    await none.reader.verifyDelivery(none.delivery);
  });

  it.each([
    ['other rows', { files: { 'staff.csv': { rows: 4 } } }, 'delivery_incomplete'],
    ['another sha256', { files: { 'staff.csv': { sha256: '0'.repeat(64) } } }, 'delivery_incomplete'],
    ['a file that is missing', { files: { 'hd.csv': {} } }, 'delivery_incomplete'],
    ['a foreign file that is missing', { files: { 'notes.txt': {} } }, 'delivery_incomplete'],
    ['no JSON', '{', 'delivery_unreadable'],
    ['wrong members', { complete: 'yes' }, 'delivery_unreadable'],
    ['wrong checks', { files: { 'staff.csv': { rows: '3' } } }, 'delivery_unreadable'],
  ])('are refused for %s', async (_, manifest, code) => {
    const { reader, delivery } = await withManifest(manifest);
    await expect(reader.verifyDelivery(delivery)).rejects.toMatchObject({ code, actor: 'secretary' });
  });

  it('are refused where a file has no header, or changed since it was listed', async () => {
    const empty = await withManifest({}, '');
    await expect(empty.reader.verifyDelivery(empty.delivery)).rejects.toMatchObject({ code: 'delivery_unreadable' });
    const folder = await newFolder();
    await writeFile(join(folder, 'staff.csv'), 'id\n1\n');
    const reader = deliveriesOf(folder, files);
    const delivery = only(await reader.listDeliveries());
    await writeFile(join(folder, 'staff.csv'), 'id\n1\n2\n');
    await expect(reader.verifyDelivery(delivery)).rejects.toMatchObject({ code: 'delivery_incomplete' });
    const reading = reader
      .openDelivery(delivery)
      .readPartition(
        { entity: 'staff.csv', columns: ['id'], key: ['id'] },
        { ordinal: 0, from: null, to: null, estimatedRows: 0 },
        null,
        new AbortController().signal,
      );
    await expect(reading[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'delivery_incomplete' });
  });

  it('are refused where two files are the same entity', async () => {
    const folder = await newFolder();
    for (const name of ['hd1.csv', 'hd2.csv']) await writeFile(join(folder, name), 'id\n');
    await writeFile(join(folder, 'manifest.json'), '{}');
    const reader = deliveriesOf(folder, files);
    await expect(reader.verifyDelivery(only(await reader.listDeliveries()))).rejects.toMatchObject({
      code: 'delivery_unreadable',
    });
  });
});

describe('a system of CSV files', () => {
  it('is checked by its folders', async () => {
    const incoming = await newFolder();
    await expect(createCsvConnector({ incoming, files: {} }).checker.checkConnection()).resolves.toMatchObject({
      product: 'CSV files',
    });
    const gone = createCsvConnector({ incoming: join(incoming, 'gone'), files: {} });
    await expect(gone.checker.checkConnection()).rejects.toMatchObject({ code: 'source_unreachable' });
    await expect(gone.deliveries?.listDeliveries()).rejects.toMatchObject({ code: 'source_unreachable' });
  });

  it('tells the columns of the newest delivery and of its outgoing files, passing over what cannot be read', async () => {
    const incoming = await newFolder();
    const outgoing = await newFolder();
    for (const [name, content] of [
      ['1', 'id,old\n'],
      ['2', 'id,new\n'],
      ['3', ''],
    ] as const) {
      await mkdir(join(incoming, name));
      await writeFile(join(incoming, name, 'staff.csv'), content);
    }
    await writeFile(join(outgoing, 'people.csv'), 'id,name\n');
    const { catalogue } = createCsvConnector({
      incoming,
      outgoing,
      files: { 'staff.csv': { key: ['id'] }, 'people.csv': {} },
    });
    const shapes = await catalogue.discoverEntities();
    expect(shapes.map(({ entity, columns, key }) => [entity, columns.map(({ name }) => name), key])).toEqual([
      ['staff.csv', ['id', 'new'], ['id']],
      ['people.csv', ['id', 'name'], []],
    ]);
  });
});
