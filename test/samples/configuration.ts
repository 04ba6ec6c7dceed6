import { fileURLToPath } from 'node:url';
import { expect } from '@jest/globals';
import { readConfigurationFolder } from '../../config/files.js';
import { judgeConfiguration } from '../../domain/configuration.js';
import type { Configuration } from '../../domain/job-definition.js';

/** Reads a sample's configuration as `apply` does. Fails where anything is wrong with it. */
export async function readSampleConfiguration(name: 'lakeside' | 'ipeds'): Promise<Configuration> {
  const folder = fileURLToPath(new URL(`../../samples/${name}/configuration/`, import.meta.url));
  const files = await readConfigurationFolder(folder);
  const judged = judgeConfiguration(files.document);
  expect(files.problems).toEqual([]);
  expect(judged.problems).toEqual([]);
  if (judged.configuration === null) throw new Error(`the configuration of ${name} is wrong`);
  return judged.configuration;
}
