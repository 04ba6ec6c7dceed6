import { dataOf } from '../../client/client.js';
import type { Schemas } from '../../client/client.js';
import { memberRoles } from '../../domain/access.js';
import { firstOf, limitOf, limitOption, moreLine, pageOf } from '../asking.js';
import type { Call, Command, OptionSpec, Outcome } from '../command.js';
import { wrongUsage } from '../failure.js';
import { moment, tableOf } from '../terminal.js';
import { oneOf } from './runs.js';

const keyArgument = { name: 'id', description: 'the key, by its id (`concord keys`)' };
const expires: OptionSpec = {
  name: 'expires',
  value: 'MOMENT',
  description: 'when it ends, such as 2027-01-31T00:00:00Z',
};

/** `concord keys` */
export const keys: Command = {
  name: 'keys',
  summary: 'list the API keys of the institution',
  options: [{ name: 'role', value: 'ROLE', description: 'only of this role', choices: memberRoles }, limitOption],
  examples: [
    { command: 'concord keys --profile admin', does: 'who has which, when it was last used' },
    { command: 'concord keys create "Registry import" --role operator', does: 'makes one; it is shown once' },
    { command: 'concord keys rotate 7', does: 'a new one in its place' },
    { command: 'concord keys revoke 7', does: 'ends it at once' },
  ],
  async run(call) {
    const most = limitOf(call);
    const role = oneOf(memberRoles, call.given('role'));
    const { items, more } = await firstOf(most, (cursor) =>
      call.api().GET('/keys', {
        params: { query: { ...(role === undefined ? {} : { role }), ...pageOf(cursor, most) } },
      }),
    );
    return {
      data: { items },
      text: (paint) =>
        tableOf(
          paint,
          ['ID', 'NAME', 'ROLE', 'STATE', 'LAST USED (UTC)', 'ENDS (UTC)', 'MADE BY'],
          items.map((key) => [
            ...[key.id, key.name, key.role, key.state],
            ...[moment(key.lastUsedAt), moment(key.expiresAt), key.createdBy],
          ]),
          'There is no key.',
        ) + moreLine(more, most),
    };
  },
  subcommands: [
    {
      name: 'create',
      summary: 'make a key; it is shown once',
      arguments: [{ name: 'name', description: 'whose or what it is' }],
      options: [{ name: 'role', value: 'ROLE', description: 'its role (needed)', choices: memberRoles }, expires],
      examples: [
        { command: 'concord keys create "Registry import" --role operator', does: 'prints the key, this once' },
      ],
      async run(call: Call): Promise<Outcome> {
        const role = oneOf(memberRoles, call.given('role'));
        if (role === undefined)
          throw wrongUsage('Say what it may: --role ROLE.', '`concord roles` shows what each may.');
        const expiresAt = call.given('expires');
        const body = { name: call.argument('name'), role, ...(expiresAt === undefined ? {} : { expiresAt }) };
        return newKey(await dataOf(call.api().POST('/keys', { body })));
      },
    },
    {
      name: 'rotate',
      summary: 'make a new key in the place of one; it is shown once',
      arguments: [keyArgument],
      options: [
        {
          name: 'former-until',
          value: 'MOMENT',
          description: 'until when the former one still opens (default: it ends at once)',
        },
        expires,
      ],
      examples: [
        { command: 'concord keys rotate 7', does: 'the former one ends at once' },
        {
          command: 'concord keys rotate 7 --former-until 2027-01-31T00:00:00Z',
          does: 'time for programs to change over',
        },
      ],
      async run(call: Call): Promise<Outcome> {
        const [formerUntil, expiresAt] = [call.given('former-until'), call.given('expires')];
        const { path, header } = await seen(call);
        const body = {
          ...(formerUntil === undefined ? {} : { formerUntil }),
          ...(expiresAt === undefined ? {} : { expiresAt }),
        };
        return newKey(await dataOf(call.api().POST('/keys/{keyId}/rotate', { params: { path, header }, body })));
      },
    },
    {
      name: 'revoke',
      summary: 'end a key at once',
      arguments: [keyArgument],
      examples: [{ command: 'concord keys revoke 7', does: 'whoever sends it is refused from now on' }],
      async run(call: Call): Promise<Outcome> {
        const { path, header } = await seen(call);
        const key = await dataOf(call.api().POST('/keys/{keyId}/revoke', { params: { path, header } }));
        return { data: key, text: () => `${key.name} (${key.role}) opens nothing any more.` };
      },
    },
  ],
};

/* A change is made on what is there now. */
async function seen(
  call: Call,
): Promise<{ readonly path: { keyId: string }; readonly header: { 'If-Match': string } }> {
  const path = { keyId: call.argument('id') };
  const asked = call.api().GET('/keys/{keyId}', { params: { path } });
  await dataOf(asked);
  return { path, header: { 'If-Match': (await asked).response.headers.get('etag') ?? '*' } };
}

const newKey = (made: Schemas['NewKeyView']): Outcome => ({
  data: made,
  text: () => `${made.name} (${made.role}), shown this once:\n${made.key}`,
});
