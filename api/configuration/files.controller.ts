import { Body, Controller } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { writeConfigurationFiles } from '../../config/yaml-files.js';
import { planGiven, type GivenPlan } from '../../database/configuration-given.js';
import { configurationOf, readFingerprint, type StoredConfiguration } from '../../database/configuration-store.js';
import type { GivenConfiguration } from '../../domain/configuration-changes.js';
import { configurationSchema } from '../../domain/configuration-schema.js';
import { judgeConfiguration } from '../../domain/configuration.js';
import { basePath } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { Endpoint } from '../common/endpoint.js';
import { requireTag, withEtag } from '../common/etag.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { configurationInvalid, settingsProblems } from '../common/judge.js';
import type { Plain } from '../common/plain-type.js';
import { toPlain } from '../common/plain.js';
import { ConfigurationStore } from './configuration-store.js';
import { ConfigurationBody, givenExample } from './files.dto.js';
import {
  ConfigurationDiffView,
  ConfigurationExportView,
  ConfigurationSchemaView,
  type ConfigurationProblemView,
} from './files.view.js';
import { redacted } from './redact.js';

const tag = 'Configuration';
const cacheControl = 'private, max-age=5';

/** All that is configured, as files. */
@Controller(`${basePath.slice(1)}/configuration`)
export class ConfigurationFilesController {
  constructor(private readonly configurations: ConfigurationStore) {}

  @Endpoint({
    ...{ method: 'post', path: 'diff', operationId: 'diffConfiguration', tag, may: 'configuration:export' },
    summary: 'What would files of configuration change?',
    description:
      'Judges what is given together with what is there, and says what applying it would change. Nothing is stored.',
    body: { type: ConfigurationBody, example: givenExample },
    replies: [{ status: 200, type: ConfigurationDiffView, description: 'The difference.', headers: ['ETag'] }],
  })
  async diff(
    @CurrentCaller() caller: Caller,
    @Body() body: ConfigurationBody,
  ): Promise<Answer<Plain<ConfigurationDiffView>>> {
    return await this.configurations.read(caller, async (stored, client) => {
      const { view } = await planned(client, stored, body);
      return new Answer(view, { headers: { etag: `"${view.state}"` } });
    });
  }

  @Endpoint({
    ...{ method: 'post', path: 'apply', operationId: 'applyConfiguration', tag, may: 'configuration:apply' },
    summary: 'Apply files of configuration',
    description:
      'All or nothing. Things that are given replace those of their name; others stay, unless `prune` is set. Applied again it changes nothing. If-Match is the state that the difference was seen on.',
    body: { type: ConfigurationBody, example: givenExample },
    ifMatch: true,
    replies: [{ status: 200, type: ConfigurationDiffView, description: 'What was changed.', headers: ['ETag'] }],
    problems: ['configuration_invalid'],
  })
  async apply(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Body() body: ConfigurationBody,
  ): Promise<Answer<Plain<ConfigurationDiffView>>> {
    return await this.configurations.change(caller, async (change) => {
      const { view, plan } = await planned(change.client, change.stored, body);
      requireTag(request, view.state, 'The configuration was changed since you looked at the difference.');
      if (plan.wanted === null || !view.valid)
        throw configurationInvalid(
          view.problems.map(({ pointer, reason, remedy }) => ({
            ...{ pointer: `/configuration${pointer}`, code: 'invalid', detail: `${reason}: ${remedy}` },
          })),
        );
      if (view.changes.length > 0) await change.store(plan.wanted);
      const state = await readFingerprint(change.client);
      return new Answer({ ...view, state }, { headers: { etag: `"${state}"` } });
    });
  }

  @Endpoint({
    ...{ method: 'get', path: 'export', operationId: 'exportConfiguration', tag, may: 'configuration:export' },
    summary: 'All that is configured, as files',
    description:
      'Written into a folder and applied elsewhere, they configure the same. Secrets stand there by reference.',
    cacheControl,
    ifNoneMatch: true,
    replies: [
      { status: 200, type: ConfigurationExportView, description: 'The files.', headers: ['ETag'] },
      { status: 304, description: 'You have them.' },
    ],
  })
  async export(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
  ): Promise<Answer<Plain<ConfigurationExportView> | undefined>> {
    return await this.configurations.read(caller, async (stored, client) => {
      const state = await readFingerprint(client);
      return withEtag(request, { state, files: filesOf(stored) }, { cacheControl, etag: `"${state}"` });
    });
  }

  @Endpoint({
    ...{ method: 'get', path: 'schema', operationId: 'getConfigurationSchema', tag, may: 'anybody' },
    summary: 'The JSON Schema of the files',
    description:
      'Of every YAML file of a configuration. Editors go by it: `# yaml-language-server: $schema=…`. It says what the judge says; what names refer to, only the judge knows.',
    cacheControl: 'public, max-age=3600',
    replies: [
      {
        status: 200,
        type: ConfigurationSchemaView,
        description: 'The schema.',
        example: { $schema: 'https://json-schema.org/draft/2020-12/schema' },
      },
    ],
  })
  schema(): object {
    return configurationSchema;
  }
}

const planned = async (
  client: PoolClient,
  stored: StoredConfiguration,
  body: ConfigurationBody,
): Promise<{ readonly plan: GivenPlan; readonly view: Plain<ConfigurationDiffView> }> => {
  // Sound: its members are checked to be objects and lists of objects.
  const given = toPlain(body.configuration) as GivenConfiguration;
  const plan = await planGiven(client, stored, given, body.prune === true);
  const problems = [
    ...plan.problems.map(({ path, reason, remedy }) => ({ pointer: path, reason, remedy })),
    ...problemsOfSettings(given),
  ];
  const view = {
    ...{ state: await readFingerprint(client), valid: problems.length === 0, problems, leftOut: plan.leftOut },
    changes: plan.changes.map((change) => ({
      ...change,
      differences: change.differences.map(({ pointer, before, after }) => {
        const name = pointer.split('/').at(-1) ?? '';
        return { pointer, before: redacted(before, name), after: redacted(after, name) };
      }),
    })),
  };
  return { plan, view };
};

const problemsOfSettings = ({ systems = [] }: GivenConfiguration): Plain<ConfigurationProblemView>[] =>
  systems.flatMap((system, index) =>
    settingsProblems(system as object).map(({ pointer, detail }) => ({
      pointer: `/systems/${index}${pointer}`,
      reason: detail,
      remedy: 'mend this setting; docs/guide/settings-and-steps.md lists them',
    })),
  );

/* The judge gives the members of each definition in their usual order; the database does not keep it. */
const filesOf = (stored: StoredConfiguration): ReturnType<typeof writeConfigurationFiles> => {
  const current = configurationOf(stored);
  return writeConfigurationFiles(judgeConfiguration(current).configuration ?? current, configurationSchema);
};
