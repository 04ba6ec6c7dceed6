import type { Type } from '@nestjs/common';
import type { Stored } from '../../database/configuration-plan.js';
import type { StoredConfiguration } from '../../database/configuration-store.js';
import type { Permission } from '../../domain/access.js';
import { listedKinds, type ListedKind, type ListName } from '../../domain/configuration-kinds.js';
import { linkTo } from '../common/base-path.js';
import { notFound } from '../common/ids.js';
import type { ListingRequest } from '../common/listing.js';
import type { Plain } from '../common/plain-type.js';
import { redacted } from './redact.js';
import type { ConfiguredView } from './configured.view.js';

/** One kind of configured things as a resource of the API. */
export interface Resource {
  readonly kind: ListedKind;
  /** Where it stands: `code-tables`. */
  readonly path: string;
  /** The name in operation ids: `CodeTable`. */
  readonly noun: string;
  readonly parameter: string;
  readonly tag: string;
  readonly read: Permission;
  readonly write: Permission;
}

/** A resource that is listed, made and replaced as every other; mappings and jobs have routes of their own for that. */
export interface PlainResource extends Resource {
  readonly body: Type<object>;
  readonly view: Type<unknown>;
  readonly page: Type<unknown>;
  readonly query: Type<ListingRequest>;
  /** The filters of the kind itself. */
  readonly matches: (row: Row, query: ListingRequest & { readonly kind?: string }) => boolean;
  readonly example: object;
  /** What is to be known before a change. */
  readonly words: string;
}

/** Something configured as it is stored, whatever its kind. */
export type Row = Stored<{ readonly name: string }>;

type StoredLists = Partial<Pick<StoredConfiguration, ListName>>;

export const rowsOf = (stored: StoredLists, kind: ListedKind): readonly Row[] => stored[listedKinds[kind].list] ?? [];

/** By its id or its name, archived or not. @throws Problem not_found */
export const findRow = (stored: StoredLists, { kind }: Pick<Resource, 'kind'>, wanted: string): Row => {
  const rows = rowsOf(stored, kind);
  const found = rows.find(({ id }) => String(id) === wanted) ?? rows.find(({ name }) => name === wanted);
  if (found === undefined) throw notFound(listedKinds[kind].title, wanted);
  return found;
};

/** What everything configured shows, with its definition. */
export const toConfigured = (
  { path }: Pick<Resource, 'path'>,
  row: Row,
): Plain<ConfiguredView> & { readonly definition: never } => {
  const self = linkTo(`${path}/${row.id}`);
  return {
    ...{ id: String(row.id), name: row.name, version: row.version, archived: row.archived },
    ...{ changedBy: row.changedBy, changedAt: row.changedAt.toISOString() },
    // Sound: each kind's definition is what its view declares; the document of the API is checked against every reply.
    definition: redacted(row.definition) as never,
    links: { self, versions: `${self}/versions`, dependents: `${self}/dependents` },
  };
};
