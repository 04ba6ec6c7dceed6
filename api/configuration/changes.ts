import { Injectable } from '@nestjs/common';
import { listedKinds } from '../../domain/configuration-kinds.js';
import { dependentsOf } from '../../domain/configuration-dependents.js';
import { isSame } from '../../domain/differences.js';
import type { Caller } from '../common/caller.js';
import type { HttpRequest } from '../common/http.js';
import { notFound } from '../common/ids.js';
import { judgeItem, requireValid } from '../common/judge.js';
import { Problem } from '../common/problem.js';
import { validationProblem } from '../common/validation.js';
import { linkTo } from '../common/base-path.js';
import { ConfigurationStore, type OpenChange } from './configuration-store.js';
import { readVersion, refuseUnlessCurrent } from './history.js';
import { findRow, rowsOf, type Resource, type Row } from './resource.js';

/** Changes of one configured thing. Each gives it as it is stored afterwards. */
@Injectable()
export class Changes {
  constructor(private readonly configurations: ConfigurationStore) {}

  /** @throws Problem name_taken, configuration_invalid */
  async create(caller: Caller, resource: Resource, definition: { readonly name: string }): Promise<Row> {
    return await this.configurations.change(caller, async (change) => {
      refuseTaken(change, resource, definition.name);
      await storeItem(change, resource, definition);
      return await reread(change, resource, definition.name);
    });
  }

  /** @throws Problem not_found, precondition_required, precondition_failed, configuration_invalid, state_forbids */
  async replace(
    caller: Caller,
    request: HttpRequest,
    resource: Resource,
    of: { readonly id: string; readonly definition: { readonly name: string } },
  ): Promise<Row> {
    return await this.configurations.change(caller, async (change) => {
      const row = findRow(change.stored, resource, of.id);
      await refuseUnlessCurrent(change.client, request, resource.kind, row);
      refuseArchived(resource, row);
      refuseRenaming(row, of.definition);
      if (isSame(row.definition, of.definition)) return row;
      await storeItem(change, resource, of.definition);
      return await reread(change, resource, row.name);
    });
  }

  /** Takes it out of use. @throws Problem in_use where others refer to it */
  async archive(caller: Caller, request: HttpRequest, resource: Resource, id: string): Promise<Row> {
    return await this.configurations.change(caller, async (change) => {
      const row = findRow(change.stored, resource, id);
      await refuseUnlessCurrent(change.client, request, resource.kind, row);
      if (row.archived) return row;
      const dependents = dependentsOf(change.current, { kind: resource.kind, name: row.name });
      if (dependents.length > 0) {
        const names = dependents.map(
          ({ kind, name }) => `${kind === 'rule' ? 'rule' : listedKinds[kind].title} ${name}`,
        );
        throw new Problem('in_use', `${[...new Set(names)].join(', ')}: change or archive those first.`, {
          extensions: { dependents },
        });
      }
      const { list } = listedKinds[resource.kind];
      const kept = change.current[list].filter(({ name }) => name !== row.name);
      await change.store({ ...change.current, [list]: kept });
      return await reread(change, resource, row.name);
    });
  }

  /** Takes it into use again, as it was. @throws Problem state_forbids, configuration_invalid */
  async restore(caller: Caller, request: HttpRequest, resource: Resource, id: string): Promise<Row> {
    return await this.configurations.change(caller, async (change) => {
      const row = findRow(change.stored, resource, id);
      await refuseUnlessCurrent(change.client, request, resource.kind, row);
      if (!row.archived) throw new Problem('state_forbids', 'It is in use: there is nothing to restore.');
      await storeItem(change, resource, row.definition);
      return await reread(change, resource, row.name);
    });
  }

  /** Gives it the definition of an earlier version again. @throws Problem not_found, configuration_invalid */
  async revert(
    caller: Caller,
    request: HttpRequest,
    resource: Resource,
    to: { readonly id: string; readonly version: number },
  ): Promise<Row> {
    return await this.configurations.change(caller, async (change) => {
      const row = findRow(change.stored, resource, to.id);
      await refuseUnlessCurrent(change.client, request, resource.kind, row);
      const then = await readVersion(change.client, resource.kind, row.id, to.version);
      if (then === null) throw notFound(`version ${to.version} of ${listedKinds[resource.kind].title}`, row.name);
      if (!row.archived && isSame(then.definition, row.definition)) return row;
      await storeItem(change, resource, then.definition as { name: string }, 'reverted');
      return await reread(change, resource, row.name);
    });
  }
}

const refuseTaken = ({ stored }: OpenChange, { kind, path }: Resource, name: string): void => {
  const row = rowsOf(stored, kind).find((one) => one.name === name);
  if (row === undefined) return;
  const { title } = listedKinds[kind];
  throw new Problem(
    'name_taken',
    `There is a ${title} ${name} already${row.archived ? ', though out of use: restore it' : ''}.`,
    {
      errors: [{ pointer: '/name', code: 'name_taken', detail: 'take another name' }],
      extensions: { id: String(row.id), links: { self: linkTo(`${path}/${row.id}`) } },
    },
  );
};

/** @throws Problem state_forbids */
export const refuseArchived = ({ kind }: Pick<Resource, 'kind'>, row: Row): void => {
  if (row.archived)
    throw new Problem('state_forbids', `The ${listedKinds[kind].title} is out of use. Restore it first.`);
};

const refuseRenaming = (row: Row, definition: { readonly name: string }): void => {
  if (definition.name === row.name) return;
  throw validationProblem([
    { pointer: '/name', code: 'fixed', detail: `name stays ${row.name}: make another instead` },
  ]);
};

const storeItem = async (
  change: OpenChange,
  { kind }: Resource,
  definition: object,
  action?: 'reverted',
): Promise<void> => {
  const { configuration } = requireValid(judgeItem(change.current, listedKinds[kind].list, definition));
  await change.store(configuration, action);
};

const reread = async (change: OpenChange, resource: Resource, name: string): Promise<Row> =>
  findRow(await change.reread(), resource, name);
