import { describe, expect, test } from '@jest/globals';
import {
  memberRoles,
  permissions,
  roles,
  rolesWith,
  scopeOf,
  scopes,
  sensitivities,
  sightOf,
} from '../../domain/access.js';
import type { Permission, Role } from '../../domain/access.js';

const names = Object.keys(permissions) as Permission[];
const mayOf = (role: Role): readonly string[] => names.filter((name) => scopeOf(role, name) !== null);

describe('who may what', () => {
  test('every cell opens something to somebody, in a known scope', () => {
    for (const name of names) {
      expect(rolesWith(name)).not.toEqual([]);
      for (const role of rolesWith(name)) expect(scopes).toContain(scopeOf(role, name));
    }
  });

  test('whoever may change something may see it', () => {
    for (const name of names) {
      const [resource = '', action = ''] = name.split(':');
      const reading = names.find((other) => other === `${resource}:read`);
      // The host makes institutions and looks into none.
      if (action === 'read' || reading === undefined || rolesWith(name).includes('host')) continue;
      const blind = rolesWith(name).filter((role) => scopeOf(role, reading) === null);
      // An operator counts questions and sees none.
      expect([name, blind]).toEqual([name, name === 'question:count' ? ['operator'] : []]);
    }
  });

  test('those who run the machines see no person, and change no record', () => {
    for (const role of ['operator', 'admin', 'host'] as const) {
      expect(sensitivities.map((sensitivity) => sightOf(role, sensitivity))).toEqual(['hidden', 'hidden', 'hidden']);
      expect(mayOf(role).filter((name) => /^(golden_record|run_record|restriction):/.test(name))).toEqual([]);
      expect(mayOf(role)).not.toContain('question:decide');
    }
  });

  test('the host makes institutions, and may nothing inside them', () => {
    expect(mayOf('host')).toEqual(['institution:list', 'institution:create']);
    expect(memberRoles).not.toContain('host');
    for (const role of memberRoles) expect(mayOf(role)).not.toContain('institution:create');
  });

  test('an auditor changes nothing', () => {
    const changing = mayOf('auditor').filter(
      (name) => !/:(read|read_records|count|export|preview_rollback)$/.test(name),
    );
    // Another of one's own roles, for the own session.
    expect(changing).toEqual(['access:switch']);
  });

  test('nobody gives themselves rights: keys are made by those who see no data', () => {
    expect(rolesWith('key:write')).toEqual(['admin']);
  });

  test('a value of undeclared sensitivity is personal', () => {
    for (const role of roles) expect(sightOf(role, undefined)).toBe(sightOf(role, 'personal'));
  });
});
