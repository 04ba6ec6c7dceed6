import { Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { readStoredRules, type StoredConfiguration, type StoredRule } from '../../database/configuration-store.js';
import { isSame } from '../../domain/differences.js';
import type { MappingDefinition } from '../../domain/mapping-definition.js';
import type { RuleDefinition } from '../../domain/rule-definition.js';
import { linkTo } from '../common/base-path.js';
import type { Caller } from '../common/caller.js';
import type { HttpRequest } from '../common/http.js';
import { notFound } from '../common/ids.js';
import { configurationInvalid, judgeItem } from '../common/judge.js';
import { Problem } from '../common/problem.js';
import { validationProblem } from '../common/validation.js';
import { refuseArchived } from './changes.js';
import { ConfigurationStore, type OpenChange } from './configuration-store.js';
import { readVersion, refuseUnlessCurrent } from './history.js';
import { findRow } from './resource.js';
import { mappings } from './resources.js';

/** A rule with the mapping that it is part of. */
export interface RuleRow extends StoredRule {
  readonly mapping: string;
}

export const readRules = async (client: PoolClient, stored: StoredConfiguration): Promise<readonly RuleRow[]> => {
  const names = new Map(stored.mappings.map(({ id, name }) => [id, name]));
  return (await readStoredRules(client)).map((rule) => ({ ...rule, mapping: names.get(rule.mappingId) ?? '' }));
};

/** @throws Problem not_found */
export const findRule = async (client: PoolClient, stored: StoredConfiguration, wanted: string): Promise<RuleRow> => {
  const found = (await readRules(client, stored)).find(({ id }) => String(id) === wanted);
  if (found === undefined) throw notFound('rule', wanted);
  return found;
};

type Rules = readonly RuleDefinition[];

/** Changes of rules: each is a change of the mapping that the rule is part of. */
@Injectable()
export class RuleChanges {
  constructor(private readonly configurations: ConfigurationStore) {}

  /** @throws Problem not_found, name_taken, configuration_invalid */
  async create(caller: Caller, mapping: string, rule: RuleDefinition): Promise<RuleRow> {
    return await this.configurations.change(caller, async (change) => {
      const row = findRow(change.stored, mappings, mapping);
      refuseArchived(mappings, row);
      await refuseTaken(change, row.id, rule.name);
      return await storeRules(change, row.name, rule, (rules) => [...rules, rule]);
    });
  }

  /** @throws Problem not_found, precondition_required, precondition_failed, configuration_invalid, state_forbids */
  async replace(caller: Caller, request: HttpRequest, id: string, rule: RuleDefinition): Promise<RuleRow> {
    return await this.changed(caller, request, id, async (change, row) => {
      refuseOutOfUse(row);
      if (rule.name !== row.name)
        throw validationProblem([
          { pointer: '/name', code: 'fixed', detail: `name stays ${row.name}: make another instead` },
        ]);
      if (isSame(rule, row.definition)) return row;
      return await storeRules(change, row.mapping, rule, replacing(rule));
    });
  }

  async archive(caller: Caller, request: HttpRequest, id: string): Promise<RuleRow> {
    return await this.changed(caller, request, id, async (change, row) =>
      row.archived ? row : await storeRules(change, row.mapping, row.definition, without(row.name)),
    );
  }

  /** @throws Problem state_forbids, configuration_invalid */
  async restore(caller: Caller, request: HttpRequest, id: string): Promise<RuleRow> {
    return await this.changed(caller, request, id, async (change, row) => {
      if (!row.archived) throw new Problem('state_forbids', 'It is in use: there is nothing to restore.');
      return await storeRules(change, row.mapping, row.definition, replacing(row.definition));
    });
  }

  /** @throws Problem not_found, configuration_invalid */
  async revert(caller: Caller, request: HttpRequest, id: string, version: number): Promise<RuleRow> {
    return await this.changed(caller, request, id, async (change, row) => {
      const then = await readVersion(change.client, 'rule', row.id, version);
      if (then === null) throw notFound('version', String(version));
      const rule = then.definition as RuleDefinition;
      if (!row.archived && isSame(rule, row.definition)) return row;
      return await storeRules(change, row.mapping, rule, replacing(rule), 'reverted');
    });
  }

  private async changed(
    caller: Caller,
    request: HttpRequest,
    id: string,
    work: (change: OpenChange, row: RuleRow) => Promise<RuleRow>,
  ): Promise<RuleRow> {
    return await this.configurations.change(caller, async (change) => {
      const row = await findRule(change.client, change.stored, id);
      await refuseUnlessCurrent(change.client, request, 'rule', row);
      return await work(change, row);
    });
  }
}

const without =
  (name: string) =>
  (rules: Rules): Rules =>
    rules.filter((rule) => rule.name !== name);

/* In its place, or last where it has none. */
const replacing =
  (rule: RuleDefinition) =>
  (rules: Rules): Rules => {
    const at = rules.findIndex(({ name }) => name === rule.name);
    return at < 0 ? [...rules, rule] : rules.with(at, rule);
  };

const refuseOutOfUse = (row: RuleRow): void => {
  if (row.archived) throw new Problem('state_forbids', 'The rule is out of use. Restore it first.');
};

const refuseTaken = async ({ client, stored }: OpenChange, mappingId: number, name: string): Promise<void> => {
  const row = (await readRules(client, stored)).find((one) => one.mappingId === mappingId && one.name === name);
  if (row === undefined) return;
  throw new Problem(
    'name_taken',
    `${row.mapping} has a rule ${name} already${row.archived ? ', though out of use: restore it' : ''}.`,
    {
      errors: [{ pointer: '/rule/name', code: 'name_taken', detail: 'take another name' }],
      extensions: { id: String(row.id), links: { self: linkTo(`rules/${row.id}`) } },
    },
  );
};

const storeRules = async (
  change: OpenChange,
  mapping: string,
  rule: RuleDefinition,
  edit: (rules: Rules) => Rules,
  action?: 'reverted',
): Promise<RuleRow> => {
  const current = change.current.mappings.find(({ name }) => name === mapping);
  if (current?.source === undefined)
    throw new Problem('state_forbids', `${mapping} reads no rows: there is nothing to check.`);
  const { rules: before = [], ...source } = current.source;
  const rules = edit(before);
  const wanted: MappingDefinition = { ...current, source: { ...source, ...(rules.length === 0 ? {} : { rules }) } };
  const { configuration, problems } = judgeItem(change.current, 'mappings', wanted);
  if (configuration === null) {
    // Pointers into the mapping are none into the rule.
    const own = `/source/rules/${rules.findIndex(({ name }) => name === rule.name)}`;
    throw configurationInvalid(
      problems.map((part) =>
        part.pointer.startsWith(own) ? { ...part, pointer: part.pointer.slice(own.length) } : part,
      ),
    );
  }
  await change.store(configuration, action);
  const rows = await readRules(change.client, await change.reread());
  const found = rows.find((row) => row.mapping === mapping && row.name === rule.name);
  if (found === undefined) throw notFound('rule', rule.name);
  return found;
};
