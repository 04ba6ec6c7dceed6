import { getMetadataStorage } from 'class-validator';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { IntlMessageFormat } from 'intl-messageformat';
import { allProblemCodes, describeCode, partOf, Problem, toDocument } from '../../api/common/problem.js';
import { arabic } from '../../api/languages/ar.js';
import { german } from '../../api/languages/de.js';
import * as english from '../../api/languages/en.js';
import { languageOf, languages, say } from '../../api/languages/say.js';
import { createUnconnectedApi } from './unconnected-api.js';

let application: NestFastifyApplication;
beforeAll(async () => {
  application = await createUnconnectedApi();
});
afterAll(async () => {
  await application.close();
});

const catalogues = { de: german, ar: arabic };
const translations = Object.entries(catalogues);

/* The parameters of a message, in branches of a choice too. */
const parametersOf = (message: string): readonly string[] => {
  const found = new Set<string>();
  const look = (elements: readonly Element[]): void => {
    for (const { type, value, options } of elements) {
      if (type === literal || type === pound) continue;
      if (value !== undefined) found.add(value);
      for (const option of Object.values(options ?? {})) look(option.value);
    }
  };
  look(new IntlMessageFormat(message, 'en').getAst());
  return [...found].sort();
};

/** A part of a parsed message. */
interface Element {
  readonly type: number;
  readonly value?: string;
  readonly options?: Readonly<Record<string, { readonly value: readonly Element[] }>>;
}
const literal = 0;
const pound = 7;

describe.each(translations)('%s', (language, catalogue) => {
  test('has a title and a detail for every code, and no more', () => {
    const codes = [...allProblemCodes].sort();
    expect(Object.keys(catalogue.titles).sort()).toEqual(codes);
    expect(Object.keys(catalogue.details).sort()).toEqual(codes);
    for (const text of [...Object.values(catalogue.titles), ...Object.values(catalogue.details)])
      expect(text.trim()).not.toBe('');
  });

  test('says every sentence, with the parameters that the English one has', () => {
    for (const part of ['sentences', 'fields'] as const) {
      const of: Readonly<Record<string, string>> = catalogue[part];
      const original: Readonly<Record<string, string>> = english[part];
      expect(Object.keys(of).sort()).toEqual(Object.keys(original).sort());
      for (const [key, message] of Object.entries(original)) {
        // `kind` is `what` for languages that decline it.
        const used = parametersOf(of[key] ?? '').map((name) => (name === 'kind' ? 'what' : name));
        expect([key, used]).toEqual([key, parametersOf(message)]);
      }
    }
  });

  test('says nothing in English', () => {
    const titles = allProblemCodes.filter(
      (code) =>
        catalogue.titles[code] === describeCode(code).title || catalogue.details[code] === describeCode(code).title,
    );
    expect([language, titles]).toEqual([language, []]);
  });
});

test('every rule that a field can break has words in the catalogues', () => {
  // What decorators noted when the controllers were loaded.
  const storage = getMetadataStorage() as unknown as {
    readonly validationMetadatas: ReadonlyMap<unknown, readonly { readonly name?: string; readonly type: string }[]>;
  };
  const rules = [...storage.validationMetadatas.values()].flat().map(({ name, type }) => name ?? type);
  const quiet = ['conditionalValidation', 'whitelistValidation', 'isDefined'];
  const unknown = rules.filter((rule) => !Object.hasOwn(english.fields, rule) && !quiet.includes(rule));
  expect([...new Set(unknown)]).toEqual([]);
  expect(rules.length).toBeGreaterThan(100);
});

test('codes and addresses are the same in every language, words are not', () => {
  const problem = new Problem(
    'not_found',
    say('not_found.thing', { what: 'held change', kind: 'held_change', id: '17' }),
    {
      errors: [partOf('/name', 'invalid', { field: 'isLength', values: { field: 'name', min: 1, max: 2000 } })],
    },
  );
  const documents = languages.map((language) => toDocument(problem, { url: '/x', id: 'trace' }, language));
  const same = documents.map(({ type, status, code, instance, traceId, errors }) => ({
    ...{ type, status, code, instance, traceId },
    parts: errors?.map((part) => [part.pointer, part.code, Object.keys(part).length]),
  }));
  expect(same[1]).toEqual(same[0]);
  expect(same[2]).toEqual(same[0]);
  expect(documents.map(({ detail }) => detail)).toEqual([
    'There is no held change 17 in your institution.',
    'In Ihrer Einrichtung gibt es keine zurückgehaltene Änderung 17.',
    'لا يوجد تغيير موقوف 17 في مؤسستك.',
  ]);
  expect(documents.map(({ errors }) => errors?.[0]?.detail)).toEqual([
    'name must have 1 to 2,000 characters',
    'name muss 1 bis 2.000 Zeichen haben',
    'يجب أن يكون طول name من 1 إلى 2,000 من الأحرف',
  ]);
});

test('what was said in English only is explained by its code in other languages', () => {
  const problem = new Problem('job_occupied', 'Run 17 is at work.');
  const details = languages.map((language) => toDocument(problem, { url: '/x', id: 'trace' }, language).detail);
  expect(details).toEqual(['Run 17 is at work.', german.details.job_occupied, arabic.details.job_occupied]);
});

test.each([
  [null, 'en'],
  ['', 'en'],
  ['*', 'en'],
  ['fr', 'en'],
  ['de', 'de'],
  ['de-CH, fr;q=0.9, en;q=0.8', 'de'],
  ['ar-EG', 'ar'],
  ['fr, ar;q=0.5, de;q=0.4', 'ar'],
  ['de;q=0, en', 'en'],
  ['nonsense;;q=', 'en'],
])('who prefers %j is told in %s', (header, language) => {
  expect(languageOf(header)).toBe(language);
});
