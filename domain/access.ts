/* Who may what: one table, enforced at one place (the guard of the API), shown by `concord roles` and at `/roles`. A route names its
   cell; a cell without a route, or a route without a cell, fails a test. */

/** What a key or a signed-in person may be, inside one institution. */
export const memberRoles = ['secretary', 'steward', 'operator', 'auditor', 'admin'] as const;

/** Every role. The *host* runs the platform for its institutions: makes them, and sees nothing of what is theirs. Its key stands in
 *  the environment of the API; nobody else is given the role. */
export const roles = [...memberRoles, 'host'] as const;
export type MemberRole = (typeof memberRoles)[number];
export type Role = (typeof roles)[number];

/** Of which objects a role may do it. *institution*: every one of the caller's institution (of the host: each institution). *affiliated*: of records, those of
 *  people who are affiliated with an organisation that the caller is bound to (all, where the caller is bound to none).
 *  *numbers*: how many, and nothing of what they say. */
export const scopes = ['institution', 'affiliated', 'numbers'] as const;
export type Scope = (typeof scopes)[number];

type Cell = Readonly<Partial<Record<Role, Scope>>>;

const all = 'institution';
const everybody: Cell = { secretary: all, steward: all, operator: all, auditor: all, admin: all };
const watchers: Cell = { secretary: all, steward: all, operator: all, auditor: all };
const readers: Cell = { secretary: 'affiliated', steward: all, auditor: all };
const deciders: Cell = { secretary: 'affiliated', steward: all };
const stewards: Cell = { steward: all };

/** `resource:action` → role → scope. A role that is not named may not. */
export const permissions = {
  'overview:read': everybody,
  'access:read': everybody,
  'access:switch': everybody,
  'event:read': watchers,

  'institution:list': { host: all },
  'institution:create': { host: all },
  'institution:read': everybody,
  'institution:write': { steward: all, admin: all },
  'organisation:read': everybody,
  'organisation:write': { steward: all, admin: all },
  'key:read': { auditor: all, admin: all },
  'key:write': { admin: all },

  'system:read': { steward: all, operator: all, auditor: all, admin: all },
  'system:write': { steward: all, admin: all },
  'system:test': { steward: all, operator: all, admin: all },
  'system:discover': { steward: all, admin: all },
  'delivery:read': watchers,
  'delivery:upload': { secretary: all, steward: all, operator: all },
  'inquiry:read': { secretary: all, steward: all, operator: all, admin: all },
  'entity_type:read': everybody,
  'entity_type:write': stewards,
  'mapping:read': everybody,
  'mapping:write': stewards,
  'mapping:try': { secretary: all, steward: all },
  'rule:read': everybody,
  'rule:write': stewards,
  'code_table:read': everybody,
  'code_table:write': stewards,
  'configuration:export': { steward: all, auditor: all, admin: all },
  'configuration:apply': stewards,

  'job:read': watchers,
  'job:write': stewards,
  'job:pause': { steward: all, operator: all },
  'run:read': watchers,
  'run:start': { secretary: all, steward: all, operator: all },
  'run:cancel': { steward: all, operator: all },
  'run:preview_rollback': watchers,
  'run:roll_back': stewards,
  'run_record:read': readers,
  'run_record:correct': stewards,

  'question:read': readers,
  'question:count': { ...watchers, operator: 'numbers' },
  'question:decide': deciders,
  'held_change:read': watchers,
  'held_change:read_records': readers,
  'held_change:decide': deciders,
  'decision:read': watchers,
  'decision:take_back': deciders,

  'golden_record:read': readers,
  'golden_record:override': stewards,
  'golden_record:sync': deciders,
  'golden_record:reveal': deciders,
  'disclosure:read': { steward: all, auditor: all },
  'restriction:read': readers,
  'restriction:place': deciders,
  'restriction:release': stewards,

  'quality:validate': { secretary: all, steward: all },
} as const satisfies Readonly<Record<string, Cell>>;

export type Permission = keyof typeof permissions;

/** The scope in which a role may do something; null: it may not. */
export const scopeOf = (role: Role, permission: Permission): Scope | null => {
  const cell: Cell = permissions[permission];
  return cell[role] ?? null;
};

/** The roles that may be bound to organisations: those whose cells say `affiliated`. The others answer for the whole
 *  institution, or see no records. */
export const boundRoles: readonly Role[] = memberRoles.filter((role) =>
  Object.values<Cell>(permissions).some((cell) => cell[role] === 'affiliated'),
);

/** The roles that may do something, in the order of `roles`. */
export const rolesWith = (permission: Permission): readonly Role[] =>
  roles.filter((role) => scopeOf(role, permission) !== null);

/** How sensitive a value is: of a group, as its entity type declares it. */
export const sensitivities = ['open', 'personal', 'sensitive'] as const;
export type Sensitivity = (typeof sensitivities)[number];

/** *plain*: read and written. *masked*: shown as dots until it is revealed with a reason, and never written. *hidden*: not even
 *  that it is there. */
export type Sight = 'plain' | 'masked' | 'hidden';

/** What a role sees of values, by their sensitivity. */
export const sights: Readonly<Record<Role, Readonly<Record<Sensitivity, Sight>>>> = {
  secretary: { open: 'plain', personal: 'plain', sensitive: 'masked' },
  steward: { open: 'plain', personal: 'plain', sensitive: 'plain' },
  operator: { open: 'hidden', personal: 'hidden', sensitive: 'hidden' },
  auditor: { open: 'plain', personal: 'masked', sensitive: 'masked' },
  admin: { open: 'hidden', personal: 'hidden', sensitive: 'hidden' },
  host: { open: 'hidden', personal: 'hidden', sensitive: 'hidden' },
};

/** What a role sees of a value; one of undeclared sensitivity is personal. */
export const sightOf = (role: Role, sensitivity: Sensitivity | undefined): Sight =>
  sights[role][sensitivity ?? 'personal'];
