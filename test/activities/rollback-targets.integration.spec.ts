import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import type { ActivityDependencies } from '../../activities/dependencies.js';
import { createConnector } from '../../connectors/registry.js';
import { previewRollback } from '../../database/rollback-preview.js';
import { Campus } from '../e2e/campus.js';
import { DirectConductor, directActivities } from '../merge/database-world.js';

jest.setTimeout(180_000);

/* More people than a page of a rollback, so that a whole file is seen to be written once. */
const many = { students: 2_050, employees: 4, both: 2 };
const few = { students: 12, employees: 4, both: 2 };

describe('targets set back', () => {
  let campus: Campus;
  let rewrites = 0;
  const open = async (options: typeof many): Promise<void> => {
    campus = await Campus.open(options);
    rewrites = 0;
  };
  afterEach(async () => {
    await campus.close();
  });

  const counting: ActivityDependencies['openConnector'] = ({ kind, settings }) => {
    const connector = createConnector(kind, settings);
    const { file } = connector;
    if (file === undefined) return connector;
    const counted: typeof file = {
      currentDigest: (target) => file.currentDigest(target),
      readWhole: (target) => file.readWhole(target),
      replaceWhole: (target, rows, expected) => {
        rewrites += 1;
        return file.replaceWhole(target, rows, expected);
      },
    };
    return new Proxy(connector, {
      get: (of, name) => {
        const member: unknown = name === 'file' ? counted : Reflect.get(of, name);
        return typeof member === 'function' ? (member.bind(of) as unknown) : member;
      },
    });
  };
  const conductor = (): DirectConductor =>
    new DirectConductor(directActivities(campus.hub, { openConnector: counting }));
  const sync = (): Promise<string> => conductor().sync(campus.institutionId, campus.job());
  const rollBack = (run: string): Promise<string> => conductor().rollback(campus.institutionId, campus.job(), run);
  const changeAllPhones = async (): Promise<void> => {
    for (const student of campus.students.values())
      campus.students.set(student.id, { ...student, phone: `new ${student.phone}` });
    await campus.storeStudents();
  };

  test('a whole file is rewritten once, to the byte, and an edit of others in it is kept', async () => {
    await open(many);
    await sync();
    const before = campus.fileText();
    await changeAllPhones();
    const run = await sync();
    const [, edited] = campus.fileText().split('\r\n').slice(1);
    writeFileSync(campus.directory, campus.fileText().replace(edited ?? '', `${edited ?? ''}!`));
    rewrites = 0;
    const rollback = await rollBack(run);
    expect(rewrites).toBe(1);
    const lines = readFileSync(campus.directory, 'utf8').split('\r\n');
    expect(lines[2]).toBe(`${edited ?? ''}!`);
    expect(lines.toSpliced(2, 1)).toEqual(before.split('\r\n').toSpliced(2, 1));
    expect((await campus.findings(rollback)).map(({ kind }) => kind)).toEqual(['kept_changed_since']);
  });

  test('a file that others reordered is set back row by row all the same', async () => {
    await open(few);
    await sync();
    const before = campus.fileText();
    await changeAllPhones();
    const run = await sync();
    const [heading = '', ...lines] = campus.fileText().split('\r\n').slice(0, -1);
    writeFileSync(campus.directory, [heading, ...lines.reverse(), ''].join('\r\n'));
    await rollBack(run);
    expect(campus.fileText()).toBe(before);
  });

  test('the first file of all is emptied again', async () => {
    await open(few);
    const run = await sync();
    await rollBack(run);
    expect(campus.fileText().split('\r\n').slice(1, -1)).toEqual([]);
  });

  test('a row that may not be sent any more is not put back: said before, and told after', async () => {
    await open(few);
    await sync();
    await changeAllPhones();
    const run = await sync();
    const [first] = campus.students.values();
    const { rows } = await campus.hub.transaction(campus.institutionId, (client) =>
      client.query<{ id: string }>(
        `insert into restrictions (institution_id, golden_id, recipient_class, placed_by)
         select institution_id, id, 'finance', 'steward' from golden_records where values[2] = $1 returning golden_id::text as id`,
        [JSON.stringify(first?.nid)],
      ),
    );
    const preview = await previewRollback(campus.hub, campus.institutionId, run, '2026-01-15');
    expect(preview.kept).toEqual([{ goldenId: rows[0]?.id, reason: 'restricted', target: 'finance.persons' }]);
    expect(preview.keptCount).toBe(1);
    const rollback = await rollBack(run);
    expect(await campus.findings(rollback)).toEqual([
      { kind: 'kept_restricted', detail: 'it may not be sent there any more, so it was not put back' },
    ]);
    const listed = await campus.count(
      `concord.findings where kind = 'kept_restricted' and golden_id = ${rows[0]?.id ?? '0'}`,
    );
    expect(listed).toBe(1);
    const stands = (await campus.tableRows()).filter(([nid]) => nid === first?.nid);
    expect(stands.map(([, , , phone]) => phone)).toEqual([`new phone ${first?.nid.slice(1) ?? ''}`]);
    const phones = (await campus.tableRows()).filter(([, , , phone]) => phone?.startsWith('new') === true);
    expect(phones).toHaveLength(1);
  });
});
