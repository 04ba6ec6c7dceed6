import { memberRoles } from './access.js';
import type { ConfigurationScope } from './configuration-scope.js';
import type { EntityTypeDefinition } from './entity-type.js';
import type { VisibilityDefinition } from './job-definition.js';
import type { Place } from './shape.js';

const checkLoneText = (type: EntityTypeDefinition, name: string, at: Place): void => {
  const group = type.groups.find((one) => one.name === name);
  const [attribute, another] = group?.attributes ?? [];
  if (attribute === undefined) at.note(`${type.name} has no group ${name}`, 'name a group of one text');
  else if (another !== undefined || group?.multiValued === true || !['text', 'code'].includes(attribute.type))
    at.note(`${name} is not one text`, 'name a group of one text');
};

const checkThrough = (path: string, organisation: string, scope: ConfigurationScope, at: Place): void => {
  const [typeName = '', groupName = '', attributeName] = path.split('.');
  const type = scope.entityTypes.get(typeName);
  const attributes = type?.groups.find(({ name }) => name === groupName)?.attributes ?? [];
  const attribute =
    attributeName === undefined
      ? attributes.length === 1
        ? attributes[0]
        : undefined
      : attributes.find(({ name }) => name === attributeName);
  if (type === undefined || attribute?.references !== organisation)
    at.note(`${path} does not lead to ${organisation}`, `write entityType.group of a reference to ${organisation}`);
  else if (typeof type.subject === 'string')
    at.note(`${typeName} says nothing about a person`, 'name a type whose subject is a reference');
};

/** Notes what is wrong with it. */
export const checkVisibility = (visibility: VisibilityDefinition, scope: ConfigurationScope, at: Place): void => {
  const { organisation, code, name, parent, through, readers } = visibility;
  const type = scope.entityTypes.get(organisation);
  if (type === undefined) {
    if (!scope.names.entityTypes.has(organisation))
      at.child('organisation').note(`there is no entity type ${organisation}`, 'name one');
    return;
  }
  if (type.subject !== 'none')
    at.child('organisation').note(`${organisation} is somebody's data`, 'set its subject to none');
  for (const [member, group] of Object.entries({ code, name, parent })) {
    if (group !== undefined) checkLoneText(type, group, at.child(member));
  }
  through.forEach((path, index) => checkThrough(path, organisation, scope, at.child('through').child(index)));
  for (const [role, recipientClass] of Object.entries(readers ?? {})) {
    const place = at.child('readers').child(role);
    if (!memberRoles.some((one) => one === role))
      place.note(`there is no role ${role}`, `one of ${memberRoles.join(', ')}`);
    if (!scope.recipientClasses.has(recipientClass))
      place.note(
        `no recipient class ${recipientClass} is declared`,
        `one of ${[...scope.recipientClasses].sort().join(', ')}`,
      );
  }
};
