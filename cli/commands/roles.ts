import { permissions, roles as allRoles, scopeOf } from '../../domain/access.js';
import type { Permission, Role } from '../../domain/access.js';
import type { Command } from '../command.js';
import { wrongUsage } from '../failure.js';
import { tableOf } from '../terminal.js';

const words = { institution: 'yes', affiliated: 'own', numbers: 'counts' } as const;
const names = Object.keys(permissions) as Permission[];

/** `concord roles` */
export const roles: Command = {
  name: 'roles',
  summary: 'show who may what',
  arguments: [{ name: 'role', description: 'only what this role may', optional: true }],
  examples: [
    { command: 'concord roles', does: 'the whole table' },
    { command: 'concord roles operator', does: 'what a key of the role operator admits' },
  ],
  async run(call) {
    const wanted = call.given('role');
    const shown = wanted === undefined ? allRoles : allRoles.filter((role) => role === wanted);
    if (shown.length === 0)
      throw wrongUsage(`There is no role ${String(wanted)}.`, `Roles are ${allRoles.join(', ')}.`);
    const rows = names.filter((name) => shown.some((role) => scopeOf(role, name) !== null));
    const word = (role: Role, name: Permission): string => {
      const scope = scopeOf(role, name);
      return scope === null ? '' : words[scope];
    };
    return {
      data: {
        permissions: Object.fromEntries(
          rows.map((name) => [name, Object.fromEntries(shown.map((role) => [role, scopeOf(role, name)]))]),
        ),
      },
      text: (paint) =>
        `${tableOf(
          paint,
          ['MAY', ...shown.map((role) => role.toUpperCase())],
          rows.map((name) => [name, ...shown.map((role) => word(role, name))]),
          '',
        )}\n\nyes: of the whole institution. own: of people whose organisation the caller is bound to. counts: how many, no more.`,
    };
  },
};
