import { ApiRefusal, isProblem } from '../client/client.js';
import type { Call, Outcome } from './command.js';
import type { CommandIo, ConfigurationReply } from './configuration-command.js';
import type { ExitCode } from './exit-codes.js';
import { exitCodes } from './exit-codes.js';
import { Failure } from './failure.js';

/** Where a command about configuration writes: lines are kept until it ends. */
export interface KeptIo extends CommandIo {
  readonly written: string[];
  readonly complaints: string[];
}

/** What such a command is given, for one use of the command line. */
export function configurationIo(call: Call): KeptIo {
  const [written, complaints]: [string[], string[]] = [[], []];
  const ask = async (method: string, path: string, body?: unknown, headers = {}): Promise<ConfigurationReply> => {
    const reply = await fetch(`${call.settings.url}/api/secretary/data-sync/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${call.settings.key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await reply.text();
    const answer = text === '' ? null : (JSON.parse(text) as unknown);
    if (reply.status === 401 && isProblem(answer)) throw new ApiRefusal(reply.status, answer, path);
    return { status: reply.status, body: answer };
  };
  return {
    ...{ written, complaints },
    write: (line) => void written.push(line),
    complain: (line) => void complaints.push(line),
    ask: call.isWatched
      ? async (question) => {
          // What is asked about has to be seen first.
          for (const line of written.splice(0)) call.progress.note(line);
          return /^y(es)?$/i.test((await call.ask(`${question} [y/N] `)) ?? '');
        }
      : null,
    api: {
      get: (path) => ask('GET', path),
      post: (path, body, headers) => ask('POST', path, body, headers),
    },
  };
}

/** What it came to. @throws Failure where it complained and did not end well */
export function outcomeOf(call: Call, io: KeptIo, code: number): Outcome {
  const exitCode = Object.values(exitCodes).find((one): one is ExitCode => one === code) ?? exitCodes.failed;
  const [first = '', ...parts] = [...io.complaints].reverse();
  if (exitCode !== exitCodes.ok && first !== '') {
    for (const line of io.written) call.progress.note(line);
    throw new Failure(exitCode, 'configuration', first, { parts: parts.reverse() });
  }
  for (const line of io.complaints) call.progress.note(line);
  const text = io.written.join('\n');
  return { data: call.flag('json') ? dataOf(text) : null, text: () => text, exitCode };
}

const dataOf = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return { told: text };
  }
};
