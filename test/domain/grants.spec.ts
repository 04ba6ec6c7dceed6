import { describe, expect, test } from '@jest/globals';
import { grantsOf, judgeSignIn, valuesOf, type GrantRule } from '../../domain/grants.js';

const rule = (more: Partial<GrantRule> = {}): GrantRule => ({
  ...{ claim: 'groups', value: 'registry', institution: 'lakeside', role: 'secretary', ...more },
});

describe('grants', () => {
  test('follow the rules in their order, and none comes twice', () => {
    const rules = [
      rule(),
      rule({ value: 'audit', role: 'auditor', institution: 'elsewhere' }),
      rule({ claim: 'title', value: 'registrar' }),
    ];
    expect(grantsOf({ groups: ['audit', 'registry'], title: 'registrar' }, rules)).toEqual([
      { institution: 'lakeside', role: 'secretary', organisations: [] },
      { institution: 'elsewhere', role: 'auditor', organisations: [] },
    ]);
    expect(grantsOf({ groups: ['gardeners'] }, rules)).toEqual([]);
    expect(grantsOf({}, rules)).toEqual([]);
  });

  test('are bound to the organisations of a claim, and there is none where it names none', () => {
    const rules = [rule({ organisationsClaim: 'schools' })];
    expect(grantsOf({ groups: 'registry', schools: ['law', 'arts'] }, rules)).toEqual([
      { institution: 'lakeside', role: 'secretary', organisations: ['law', 'arts'] },
    ]);
    for (const schools of [undefined, [], '' as unknown, [7], { law: true }])
      expect(grantsOf({ groups: 'registry', schools }, rules)).toEqual([]);
  });

  test('of one role add up, and one that is not bound frees it', () => {
    const law = rule({ value: 'law-desk', organisations: ['law'] });
    const arts = rule({ value: 'arts-desk', organisations: ['arts'] });
    const both = { groups: ['law-desk', 'arts-desk', 'registry'] };
    expect(grantsOf(both, [law, arts])).toMatchObject([{ organisations: ['law', 'arts'] }]);
    expect(grantsOf(both, [law, arts, rule()])).toMatchObject([{ organisations: [] }]);
  });

  test('read claims by name, by path, and scopes by their words', () => {
    const claims = {
      'https://lakeside.example/roles': ['a'],
      realm_access: { roles: ['b', 5] },
      scope: 'read write',
      title: 'read write',
    };
    expect(valuesOf(claims, 'https://lakeside.example/roles')).toEqual(['a']);
    expect(valuesOf(claims, 'realm_access.roles')).toEqual(['b']);
    expect(valuesOf(claims, 'scope')).toEqual(['read', 'write']);
    expect(valuesOf(claims, 'title')).toEqual(['read write']);
    expect(valuesOf(claims, 'constructor.name')).toEqual([]);
    expect(valuesOf(claims, '__proto__.x')).toEqual([]);
  });
});

describe('settings', () => {
  const provider = {
    ...{ name: 'lakeside', title: 'Lakeside', issuer: 'https://login.lakeside.example', clientId: 'concord' },
    grants: [{ claim: 'groups', value: 'registry', institution: 'lakeside', role: 'secretary' }],
  };
  const pathsOf = (...providers: unknown[]): string[] =>
    judgeSignIn({ providers }).problems.map(({ path }) => path.replace('/providers/', ''));

  test('are read whole', () => {
    expect(judgeSignIn({ providers: [provider] })).toEqual({ settings: { providers: [provider] }, problems: [] });
  });

  test('name every problem', () => {
    expect(judgeSignIn(null).settings).toBeNull();
    expect(pathsOf({ ...provider, name: 'Lake side' })).toEqual(['0/name']);
    expect(pathsOf({ ...provider, issuer: 'http://login.lakeside.example' })).toEqual(['0/issuer']);
    expect(pathsOf({ ...provider, issuer: 'lakeside' })).toEqual(['0/issuer']);
    expect(pathsOf({ ...provider, issuer: 'http://127.0.0.1:8080/realm' })).toEqual([]);
    expect(pathsOf({ ...provider, clientSecret: { env: 'PATH' } })).toEqual(['0/clientSecret']);
    expect(pathsOf({ ...provider, clientId: undefined })).toEqual(['0']);
    expect(pathsOf({ ...provider, audience: 'concord' })).toEqual(['0']);
    expect(pathsOf({ ...provider, grants: [] })).toEqual(['0/grants']);
    expect(pathsOf({ ...provider, grants: [{ ...provider.grants[0], role: 'owner', more: 1 }] })).toEqual([
      '0/grants/0/more',
      '0/grants/0/role',
    ]);
    const bound = { ...provider.grants[0], role: 'steward', organisations: ['law'] };
    expect(pathsOf({ ...provider, grants: [bound] })).toEqual(['0/grants/0']);
    expect(pathsOf(provider, provider)).toEqual(['1']);
    const machines = { ...provider, audience: 'api' };
    expect(pathsOf(machines, { ...machines, name: 'again' })).toEqual(['1']);
  });
});
