import type { EntityTypeDefinition } from './entity-type.js';
import type { TargetColumn } from './mapping-definition.js';
import { resolvePath } from './paths.js';

/** A target column whose cell is the text of one attribute of the root as it stands: whoever has that as bytes need not make a
 *  string of it. Blank texts are null, as everywhere. */
export interface CopiedColumn {
  /** The place of the attribute's group. */
  readonly group: number;
  /** The attribute's name; null where it is the group's only one, whose value is then no object. */
  readonly member: string | null;
  /** In characters; null: any length. */
  readonly maxLength: number | null;
}

/** What a column copies; null where it has to be written: by steps or from several origins, in a system's own codes, out of another
 *  record, of elements or of what holds for a time. The counterpart of `copiedGroups`. */
export const copiedColumn = (column: TargetColumn, root: EntityTypeDefinition): CopiedColumn | null => {
  const { from, firstOf, constant, separator, steps = [], maxLength = null } = column;
  if (from === undefined || firstOf !== undefined || constant !== undefined) return null;
  if (separator !== undefined || steps.length > 0) return null;
  const path = resolvePath(root, from);
  if (typeof path === 'string' || path.rest !== null || path.attribute === null) return null;
  const { type, codeTable, name } = path.attribute;
  const group = root.groups[path.group];
  if (group === undefined || group.multiValued === true || group.validity !== undefined) return null;
  if (type === 'code' && codeTable !== undefined) return null;
  return { group: path.group, member: group.attributes.length === 1 ? null : name, maxLength };
};
