/* `npm run demo`: a sample institution of four systems, told as a story. Exits with 0 only if every outcome is as it should be. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { readConfig } from '../config/env.js';
import { bringUp } from '../launch/environment.js';
import type { Environment } from '../launch/environment.js';
import { projectFolder } from '../launch/project-folder.js';
import { generateLakeside } from '../samples/lakeside/generator.js';
import { lakesideSecrets } from '../samples/lakeside/install.js';
import { PrintedNarrator } from '../samples/lakeside/printed-narrator.js';
import { beginStory, tellStory } from '../samples/lakeside/story.js';
import { searchAttributes } from '../worker/search-attributes.js';
import { openDemoPlatform, yesterday } from './demo-platform.js';

const write = (line: string): void => void process.stdout.write(`${line}\n`);

const makeDatabase = async (server: string, name: string): Promise<string> => {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(`drop database if exists ${name} with (force)`);
    await client.query(`create database ${name}`);
  } finally {
    await client.end();
  }
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
};

const tellIn = async (environment: Environment): Promise<boolean> => {
  const { databaseUrl, temporalAddress } = environment;
  const files = join(environment.folder, 'lakeside');
  rmSync(files, { recursive: true, force: true });
  const places = {
    sisUrl: await makeDatabase(databaseUrl, 'lakeside_sis'),
    financeUrl: await makeDatabase(databaseUrl, 'lakeside_finance'),
    hrIncoming: join(files, 'hr', 'incoming'),
    academicIncoming: join(files, 'academic', 'incoming'),
    academicOutgoing: join(files, 'academic', 'outgoing'),
  };
  const password = randomBytes(12).toString('base64url');
  const opened = await openDemoPlatform({
    password,
    ...{ temporalAddress, folder: environment.folder },
    databaseUrl: await makeDatabase(databaseUrl, 'concord_demo'),
    scope: `.demo-${Date.now().toString(36)}`,
    configurationFolder: join(projectFolder(), 'samples', 'lakeside', 'configuration'),
    secrets: lakesideSecrets(places),
  });
  const sis = new pg.Client({ connectionString: places.sisUrl });
  const finance = new pg.Client({ connectionString: places.financeUrl });
  try {
    await Promise.all([sis.connect(), finance.connect()]);
    write(
      'Lakeside is a made-up university of about 5,000 people. Its student information, human resources, finance and',
    );
    write('academic systems each know some of them. Concord keeps them in agreement, and asks where it cannot know.');
    write(`What you see here also answers at ${opened.apiUrl}; its account for visitors has the password ${password}`);
    const narrator = new PrintedNarrator(write);
    const lakeside = generateLakeside({ dayOne: yesterday() });
    await tellStory(await beginStory({ sis, finance, ...places }, opened.platform, lakeside), narrator);
    return narrator.close();
  } finally {
    await Promise.all([sis.end(), finance.end()]);
    await opened.close();
  }
};

const environment = await bringUp({ name: 'demo', config: readConfig(), fresh: true, searchAttributes });
try {
  process.exitCode = (await tellIn(environment)) ? 0 : 1;
} finally {
  await environment.stop();
}
