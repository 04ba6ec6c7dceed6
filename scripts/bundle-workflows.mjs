/* Writes dist/workflow-bundle.js, which the worker loads. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';
import { root } from './ensure.mjs';

const quiet = { trace() {}, debug() {}, info() {}, warn: console.error, error: console.error, log() {} };
const { code } = await bundleWorkflowCode({
  workflowsPath: join(root, 'dist', 'workflows', 'index.js'),
  workflowInterceptorModules: [join(root, 'dist', 'workflows', 'tracing.js')],
  logger: quiet,
});
writeFileSync(join(root, 'dist', 'workflow-bundle.js'), code);
