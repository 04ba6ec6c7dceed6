import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parse } from 'yaml';
import { writeConfigurationFiles, type WritableConfiguration } from '../../config/yaml-files.js';

const empty: WritableConfiguration = {
  institution: { code: 'x', name: 'X', timeZone: 'UTC' },
  ...{ systems: [], entityTypes: [], mappings: [], codeTables: [], jobs: [] },
};
const write = (configuration: Partial<WritableConfiguration>): ReturnType<typeof writeConfigurationFiles> =>
  writeConfigurationFiles({ ...empty, ...configuration }, { title: 'schema' });

describe('a configuration as files', () => {
  test('is one file for each thing, with the schema that editors go by', () => {
    const files = write({ jobs: [{ name: 'people' }], mappings: [{ name: 'sis.students' }] });
    expect(files.map(({ path }) => path)).toEqual([
      ...['.schema.json', 'institution.yaml', 'mappings/sis.students.yaml', 'jobs/people.yaml'],
    ]);
    expect(files[1]?.text.split('\n')[0]).toBe('# yaml-language-server: $schema=.schema.json');
    expect(files[3]?.text).toBe('# yaml-language-server: $schema=../.schema.json\nname: people\n');
  });

  test('names of any kind become names of files, each its own, that lead nowhere else', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ minLength: 1, unit: 'binary' }), { maxLength: 12 }), (names) => {
        const storable = names.filter((name) => !/\p{Cs}/u.test(name));
        const paths = write({ jobs: storable.map((name) => ({ name })) })
          .map(({ path }) => path)
          .slice(2);
        expect(new Set(paths.map((path) => path.toLowerCase())).size).toBe(storable.length);
        for (const path of paths) expect(path).toMatch(/^jobs\/[^./\\\0][^/\\\0]*\.yaml$/);
      }),
    );
  });

  test('what is written is read again, whatever it says', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }).filter((text) => !/\p{Cs}/u.test(text)),
      fc.constantFrom(
        'no',
        'NO',
        'null',
        '~',
        '007',
        '1e3',
        '2026-01-01',
        ' x ',
        '# x',
        '- x',
        'a: b',
        '*a',
        '&a',
        "it's",
        '"',
        '\n',
        '\u2028',
      ),
    );
    const documents = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        ...[texts, fc.integer(), fc.boolean(), fc.array(tie('value')), fc.dictionary(texts, tie('value'))],
      ),
    })).value;
    fc.assert(
      fc.property(documents, (settings) => {
        const [, , file] = write({ systems: [{ name: 'a', settings } as { name: string }] });
        expect(parse(file?.text ?? '')).toEqual({ name: 'a', settings });
      }),
      { numRuns: 500 },
    );
  });
});
