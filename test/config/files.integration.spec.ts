import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readConfigurationFile, readConfigurationFolder, type FileProblem } from '../../config/files.js';
import { judgeConfiguration } from '../../domain/configuration.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'concord files '));
});
afterEach(() => rm(folder, { recursive: true }));

const write = async (files: Readonly<Record<string, string | Buffer>>): Promise<void> => {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
};

const small = {
  'institution.yaml': 'code: x\nname: X\ntimeZone: Europe/Zurich\n',
  'systems/all.yaml': '- { name: sis, kind: csv, settings: {} }\n- name: hr\n  kind: csv\n  settings: {}\n',
  'entity-types/thing.yaml':
    'name: thing\nkind: mastered\nsubject: none\ngroups:\n  - name: title\n    attributes: [{ name: title, type: text }]\n    strategy: three_way\n    priority: [sis]\n',
  'mappings/things.yml':
    'name: sis.things\nsystem: sis\nentity: things\nsource:\n  columns: [id, title]\n  key: [id]\n  records:\n    - entityType: thing\n      groups:\n        title: { from: title }\n---\nname: hr.things\nsystem: hr\nentity: things\ntarget:\n  root: thing\n  key: [{ column: id, from: title }]\n  columns:\n    - column: title\n      from: title\n  recipientClass: public\n',
  'jobs/all.yaml': 'name: all\nsources: [sis.things]\ntargets: [hr.things]\n',
  'README.md': 'notes',
};

const judge = async (): Promise<FileProblem[]> => {
  const { document, problems, locate } = await readConfigurationFolder(folder);
  const judged = judgeConfiguration(document);
  return [...problems, ...judged.problems.map(({ path, reason, remedy }) => ({ ...locate(path), reason, remedy }))];
};

describe('a folder of configuration', () => {
  it('is read whole: single documents, several in a file, lists', async () => {
    await write(small);
    const { document, problems } = await readConfigurationFolder(folder);
    expect(problems).toEqual([]);
    const { configuration } = judgeConfiguration(document);
    expect(configuration?.systems.map(({ name }) => name)).toEqual(['sis', 'hr']);
    expect(configuration?.mappings.map(({ name }) => name)).toEqual(['sis.things', 'hr.things']);
    expect(configuration?.institution.code).toBe('x');
  });

  it('tells where a mapping names a recipient class that the institution does not declare', async () => {
    await write({
      ...small,
      'institution.yaml': `${small['institution.yaml']}recipientClasses: [directory]\n`,
      'mappings/things.yml': small['mappings/things.yml'].replace(
        '        title: { from: title }\n',
        '        title: { from: title }\n      restrictions:\n        - recipientClass: secret\n          when: { field: title, equals: x }\n',
      ),
    });
    expect((await judge()).map(({ file, line, reason }) => `${file}:${String(line)} ${reason}`)).toEqual([
      'mappings/things.yml:12 there is no recipient class secret',
      'mappings/things.yml:24 there is no recipient class public',
    ]);
  });

  it('tells every problem with its file and line', async () => {
    await write({
      ...small,
      'systems/all.yaml':
        '- { name: sis, kind: csv, settings: {} }\n- name: hr\n  kind: csv\n  settings:\n    password: secret\n',
      'mappings/things.yml': small['mappings/things.yml']
        .replace('{ from: title }', '\n          from: titel')
        .replace('root: thing', 'root: thng'),
      'jobs/all.yaml': 'name: all\nsources: [sis.things]\ntargets:\n  - hr.things\n  - hr.nothing\nretries: 3\n',
    });
    const problems = await judge();
    expect(problems.map(({ file, line }) => `${file}:${String(line)}`)).toEqual([
      'jobs/all.yaml:6',
      'systems/all.yaml:5',
      'mappings/things.yml:11',
      'mappings/things.yml:17',
      'jobs/all.yaml:5',
    ]);
    expect(problems.every(({ reason, remedy }) => reason !== '' && remedy !== '')).toBe(true);
    expect(JSON.stringify(problems)).not.toContain('"secret"');
  });

  it('tells what is no YAML, not UTF-8, empty or misplaced, and all of it at once', async () => {
    await write({
      ...small,
      'jobs/a.yaml': 'name: [a\nsources: b\n',
      'jobs/b.yaml': Buffer.from([0x6e, 0xff, 0x0a]),
      'jobs/c.yaml': '# nothing\n',
      'jobs/d.yaml': 'name: a\nname: b\n',
      'jobs/e.json': '{}',
      'mapping/x.yaml': 'name: x\n',
      'extra.yaml': 'name: x\n',
    });
    const { problems } = await readConfigurationFolder(folder);
    expect(problems.map(({ file }) => file).sort()).toEqual([
      'extra.yaml',
      'jobs/a.yaml',
      'jobs/b.yaml',
      'jobs/c.yaml',
      'jobs/d.yaml',
      'jobs/e.json',
      'mapping',
    ]);
    expect(problems.find(({ file }) => file === 'jobs/d.yaml')?.line).toBe(2);
  });

  it('tells where there are words and no members, in a folder or in a file alone', async () => {
    await write({ ...small, 'jobs/all.yaml': 'all\n', 'jobs/list.yaml': '- name: all\n- sis.things\n' });
    const alone = join(folder, 'jobs/all.yaml');
    const found = [
      ...(await readConfigurationFolder(folder)).problems,
      ...(await readConfigurationFile(alone)).problems,
    ];
    expect(found.map(({ file, line, reason }) => `${file}:${String(line)} ${reason}`)).toEqual([
      'jobs/all.yaml:1 there are no members here',
      'jobs/list.yaml:2 there are no members here',
      'all.yaml:1 there are no members here',
    ]);
  });

  it('tells that a folder holds no configuration, which would otherwise leave out everything', async () => {
    await write({ 'README.md': 'notes' });
    await mkdir(join(folder, 'jobs'));
    const { problems } = await readConfigurationFolder(folder);
    expect(problems).toMatchObject([
      { file: 'institution.yaml', line: 1, reason: 'the folder holds no configuration' },
    ]);
  });

  it('names the file that is missing', async () => {
    const problems = await judge();
    expect(problems[0]).toMatchObject({ file: 'institution.yaml', line: 1 });
  });

  it.each(['lakeside', 'ipeds'])('of the sample %s is right', async (sample) => {
    const { document, problems, locate } = await readConfigurationFolder(join('samples', sample, 'configuration'));
    const judged = judgeConfiguration(document);
    expect(problems).toEqual([]);
    expect(judged.problems.map((problem) => ({ ...problem, ...locate(problem.path) }))).toEqual([]);
  });
});
