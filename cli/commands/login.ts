import { ApiRefusal, connect, dataOf } from '../../client/client.js';
import type { Command } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { Failure } from '../failure.js';

/** `concord login` */
export const login: Command = {
  name: 'login',
  summary: 'keep an address and an API key for later commands',
  options: [{ name: 'default', description: 'use it where no profile is named' }],
  examples: [
    { command: 'concord login', does: 'asks for the key, tries it, and keeps it' },
    { command: 'concord login --profile steward < key.txt', does: 'keeps another under a name of its own' },
    { command: 'concord --version', does: 'needs no key' },
  ],
  async run(call) {
    const name = call.given('profile') ?? 'default';
    const key = (call.given('key') ?? (await call.ask('API key: ')) ?? (await call.input())).trim();
    // The named profile may not be there yet: its address is what flags, environment or this machine say.
    const url = call.settings.urlWithoutProfile;
    try {
      await dataOf(connect({ url, token: key }).GET('/status/overview'));
    } catch (error) {
      if (!(error instanceof ApiRefusal) || error.status !== 401) throw error;
      throw new Failure(exitCodes.access, 'unauthenticated', `${url} does not know this key. Nothing was kept.`, {
        cause: error,
      });
    }
    call.settings.keep({ [name]: { url, key } }, call.flag('default') ? name : undefined);
    return {
      data: { profile: name, url, file: call.settings.file },
      text: () => `Kept as profile ${name} in ${call.settings.file}.`,
    };
  },
};
