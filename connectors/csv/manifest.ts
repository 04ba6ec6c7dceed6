import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SyncError } from '../../domain/errors.js';
import type { DeliveryManifest } from '../capabilities.js';
import { codeOf } from './errors.js';

export const manifestName = 'manifest.json';

/** The manifest of a folder, null where there is none; what the file leaves out is *not complete*, *everything*, *no checks*.
 *  @throws SyncError delivery_unreadable, naming the member that is wrong */
export const readManifest = async (folder: string): Promise<DeliveryManifest | null> => {
  let text: string;
  try {
    text = await readFile(join(folder, manifestName), 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
  return parseManifest(text);
};

const unreadable = (why: string): SyncError => new SyncError('delivery_unreadable', `${manifestName}: ${why}`);

const parseManifest = (text: string): DeliveryManifest => {
  const { complete = false, scope = {}, files = {} } = parseObject(text);
  if (typeof complete !== 'boolean') throw unreadable('"complete" has to be true or false');
  if (!isObject(scope) || !Object.values(scope).every(isText)) throw unreadable('"scope" has to give each name a text');
  if (!isObject(files)) throw unreadable('"files" has to give each file its rows or sha256');
  if (Object.keys(files).some((name) => /[/\\]/.test(name))) throw unreadable('names in "files" may hold no folder');
  return {
    complete,
    scope: textsOf(scope),
    files: Object.fromEntries(Object.entries(files).map(([name, file]) => [name, checksOf(file)])),
  };
};

const parseObject = (text: string): Record<string, unknown> => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.replace(/^\ufeff/, ''));
  } catch (cause) {
    throw new SyncError('delivery_unreadable', `${manifestName} is not JSON`, { cause });
  }
  if (!isObject(parsed)) throw unreadable('it has to be an object');
  return parsed;
};

const checksOf = (file: unknown): { rows?: number; sha256?: string } => {
  if (!isObject(file)) throw unreadable('each of "files" has to be an object');
  const { rows, sha256 } = file;
  if (rows !== undefined && !(typeof rows === 'number' && Number.isInteger(rows) && rows >= 0)) {
    throw unreadable('"rows" has to be a whole number');
  }
  if (sha256 !== undefined && !(isText(sha256) && /^[0-9a-f]{64}$/i.test(sha256))) {
    throw unreadable('"sha256" has to be 64 hexadecimal digits');
  }
  return { ...(rows === undefined ? {} : { rows }), ...(sha256 === undefined ? {} : { sha256: sha256.toLowerCase() }) };
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';
const textsOf = (members: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries(Object.entries(members).flatMap(([name, value]) => (isText(value) ? [[name, value]] : [])));
