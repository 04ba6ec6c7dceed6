import { boundRoles, memberRoles, type MemberRole } from './access.js';
import { isSecretName, secretPrefix } from './secrets.js';
import { flag, list, object, optional, Place, reader, required, text, word, type ShapeProblem } from './shape.js';

/* Who somebody is by the word of another: an OpenID provider says claims of a person or a machine, and rules make grants of them. */

/** What somebody may be in an institution. */
export interface Grant {
  /** Code of the institution. */
  readonly institution: string;
  readonly role: MemberRole;
  /** Codes of the organisations that it is bound to; none: not bound. */
  readonly organisations: readonly string[];
}

/** Whoever's claim `claim` is or holds `value` gets a grant. */
export interface GrantRule {
  /** A name, or a path with dots (`realm_access.roles`). A text that is a list by its nature (`scope`) holds its words. */
  readonly claim: string;
  readonly value: string;
  readonly institution: string;
  readonly role: MemberRole;
  readonly organisations?: readonly string[];
  /** The claim that holds the codes of organisations. Where it holds none there is no grant: nobody is unbound by an omission. */
  readonly organisationsClaim?: string;
}

/** An OpenID provider that vouches for people, for machines, or for both. */
export interface ProviderSettings {
  /** Stands in addresses. */
  readonly name: string;
  /** For people who choose where to sign in. */
  readonly title: string;
  /** Where it says what it can (OpenID Connect Discovery). */
  readonly issuer: string;
  /** Who we are to it, for people to sign in. Without it they cannot. */
  readonly clientId?: string;
  /** The variable that holds our secret. Without it we are a public client, and PKCE alone protects. */
  readonly clientSecret?: { readonly env: string };
  /** Asked for beside `openid`. */
  readonly scopes?: readonly string[];
  /** The claim that names a person among the actors (default: preferred_username). */
  readonly nameClaim?: string;
  /** Whom access tokens of machines must be made for. Without it none are taken. */
  readonly audience?: string;
  /** Whether the claims of people are asked for at the userinfo endpoint too. */
  readonly userinfo?: boolean;
  readonly grants: readonly GrantRule[];
}

export interface SignInSettings {
  readonly providers: readonly ProviderSettings[];
}

/** The settings of signing in, judged as a whole. null where there are problems. */
export const judgeSignIn = (
  document: unknown,
): { readonly settings: SignInSettings | null; readonly problems: readonly ShapeProblem[] } => {
  const problems: ShapeProblem[] = [];
  const settings = settingsReader(document, new Place('', problems));
  return { settings: problems.length === 0 ? settings : null, problems };
};

/** What somebody with these claims may be: one grant a rule that fits, in the order of the rules, none twice. */
export const grantsOf = (claims: Readonly<Record<string, unknown>>, rules: readonly GrantRule[]): readonly Grant[] => {
  const grants = new Map<string, Grant>();
  for (const rule of rules) {
    if (!valuesOf(claims, rule.claim).includes(rule.value)) continue;
    const organisations = [
      ...(rule.organisations ?? []),
      ...(rule.organisationsClaim === undefined ? [] : valuesOf(claims, rule.organisationsClaim)),
    ];
    if (rule.organisationsClaim !== undefined && organisations.length === 0) continue;
    const { institution, role } = rule;
    const key = JSON.stringify([institution, role]);
    const known = grants.get(key);
    // Two rules for the same role bind to both their organisations; one that does not bind wins.
    const bound = known === undefined ? organisations : union(known.organisations, organisations);
    grants.set(key, { institution, role, organisations: bound });
  }
  return [...grants.values()];
};

const union = (one: readonly string[], other: readonly string[]): readonly string[] =>
  one.length === 0 || other.length === 0 ? [] : [...new Set([...one, ...other])];

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The texts of a claim: its own, or those of its list. */
export const valuesOf = (claims: Readonly<Record<string, unknown>>, claim: string): readonly string[] => {
  const value = Object.hasOwn(claims, claim) ? claims[claim] : atPath(claims, claim.split('.'));
  const isScope = claim === 'scope' || claim === 'scp';
  const values: readonly unknown[] = Array.isArray(value)
    ? value
    : isScope && typeof value === 'string'
      ? value.split(' ')
      : [value];
  return values.filter((one): one is string => typeof one === 'string' && one !== '');
};

const atPath = (value: unknown, path: readonly string[]): unknown => {
  let found = value;
  for (const name of path) found = isObject(found) && Object.hasOwn(found, name) ? found[name] : undefined;
  return found;
};

const ruleShape = object<GrantRule>({
  claim: required(text),
  value: required(text),
  institution: required(text),
  role: required(word(...memberRoles)),
  organisations: optional(list(text, 1)),
  organisationsClaim: optional(text),
});

const ruleReader = reader<GrantRule>(ruleShape.schema, (value, at) => {
  const rule = ruleShape(value, at);
  if (rule === null) return null;
  const binds = rule.organisations !== undefined || rule.organisationsClaim !== undefined;
  if (binds && !boundRoles.includes(rule.role))
    return at.note(`the role ${rule.role} is not bound to organisations`, 'leave the organisations out');
  return rule;
});

const nameReader = reader<string>(text.schema, (value, at) => {
  const name = text(value, at);
  if (name === null || /^[a-z][a-z0-9-]{0,39}$/.test(name)) return name;
  return at.note('the name stands in addresses', 'write small letters, digits and hyphens, a letter first');
});

/* Signing in sends people and secrets there: encrypted, unless it is this very machine. */
const issuerReader = reader<string>(text.schema, (value, at) => {
  const issuer = text(value, at);
  if (issuer === null) return null;
  const found = /^(https?):\/\/(\[[0-9a-f:]+\]|[^\s/:?#@]+)(:\d+)?(\/[^\s?#]*)?$/i.exec(issuer);
  const [, scheme, host] = found ?? [];
  if (scheme === undefined || host === undefined) return at.note('this is no issuer', 'write https://host/path');
  if (scheme.toLowerCase() === 'http' && !['127.0.0.1', 'localhost', '[::1]'].includes(host))
    return at.note('the issuer is not encrypted', 'write https://');
  return issuer;
});

const secretShape = object<{ readonly env: string }>({ env: required(text) });

const secretReader = reader<{ readonly env: string }>(secretShape.schema, (value, at) => {
  const secret = secretShape(value, at);
  if (secret === null || isSecretName(secret.env)) return secret;
  return at.note('this is no secret’s name', `name a variable that begins with ${secretPrefix}`);
});

const providerShape = object<ProviderSettings>({
  name: required(nameReader),
  title: required(text),
  issuer: required(issuerReader),
  clientId: optional(text),
  clientSecret: optional(secretReader),
  scopes: optional(list(text)),
  nameClaim: optional(text),
  audience: optional(text),
  userinfo: optional(flag),
  grants: required(list(ruleReader, 1)),
});

const providerReader = reader<ProviderSettings>(providerShape.schema, (value, at) => {
  const provider = providerShape(value, at);
  if (provider === null) return null;
  if (provider.clientId === undefined && provider.audience === undefined)
    return at.note('nobody can come in here', 'add clientId for people, audience for machines');
  // Whoever signed in holds a token for clientId: it must not do for an access token.
  if (provider.audience !== undefined && provider.audience === provider.clientId)
    return at.note('the audience is the clientId', 'have access tokens made for an audience of their own');
  return provider;
});

const settingsShape = object<SignInSettings>({ providers: required(list(providerReader, 1)) });

const settingsReader = reader<SignInSettings>(settingsShape.schema, (value, at) => {
  const settings = settingsShape(value, at);
  if (settings === null) return null;
  const seen = new Set<string>();
  settings.providers.forEach(({ name, issuer, audience }, index) => {
    const place = at.child('providers').child(index);
    if (seen.has(name)) place.note(`${name} is there twice`, 'give each provider a name of its own');
    seen.add(name);
    // A token says its issuer: two that take the same could not be told apart.
    const key = `\n${issuer}`;
    if (audience !== undefined && seen.has(key))
      place.note('the issuer takes machines twice', 'leave one audience out');
    if (audience !== undefined) seen.add(key);
  });
  return settings;
});
