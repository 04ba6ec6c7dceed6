/* What of an OpenAPI document may not go away, or be asked for, without breaking programs that were there before. Rules of our own: the
   known comparers are no npm packages. */

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const membersOf = (value: unknown): Json => (isObject(value) ? value : {});
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as readonly unknown[]) : []);

/** What a program that was written against `before` would miss in `after`, each as one line. */
export function breakingChanges(before: unknown, after: unknown): readonly string[] {
  const found: string[] = [];
  const documents = { before: membersOf(before), after: membersOf(after) };
  const schemasOf = (document: Json): Json => membersOf(membersOf(document['components'])['schemas']);
  const used = new Map<string, Set<Direction>>();

  const compareSchemas = (place: string, one: unknown, other: unknown, direction: Direction): void => {
    const [was, is] = [membersOf(one), membersOf(other)];
    const reference = typeof was['$ref'] === 'string' ? was['$ref'] : null;
    if (reference !== null) {
      if (is['$ref'] !== reference) found.push(`${place}: is another schema`);
      const name = reference.split('/').at(-1) ?? '';
      const known = used.get(name) ?? new Set();
      if (known.has(direction)) return;
      used.set(name, known.add(direction));
      compareSchemas(name, schemasOf(documents.before)[name], schemasOf(documents.after)[name], direction);
      return;
    }
    if (!isObject(other)) {
      found.push(`${place}: is gone`);
      return;
    }
    compareTypes(place, was, is, direction);
    const properties = membersOf(is['properties']);
    for (const [name, property] of Object.entries(membersOf(was['properties']))) {
      if (name in properties) compareSchemas(`${place}.${name}`, property, properties[name], direction);
      else found.push(`${place}.${name}: is gone`);
    }
    const [needed, needs] = [listOf(was['required']), listOf(is['required'])];
    // Whoever sends must not be asked for more, and whoever reads must still find what was always there.
    const missed =
      direction === 'sent'
        ? needs.filter((name) => !needed.includes(name))
        : needed.filter((name) => !needs.includes(name));
    for (const name of missed)
      found.push(`${place}.${String(name)}: ${direction === 'sent' ? 'is required now' : 'may be absent now'}`);
    if ('items' in was) compareSchemas(`${place}[]`, was['items'], is['items'], direction);
    for (const [index, alternative] of listOf(was['anyOf']).entries())
      compareSchemas(`${place}|${index}`, alternative, listOf(is['anyOf'])[index], direction);
  };

  const compareTypes = (place: string, was: Json, is: Json, direction: Direction): void => {
    const [types, now] = [wordsOf(was['type']), wordsOf(is['type'])];
    // Whoever sends may go on with every type that was taken; whoever reads meets none that never came.
    const missed =
      direction === 'sent' ? types.filter((type) => !now.includes(type)) : now.filter((type) => !types.includes(type));
    if (types.length > 0 && missed.length > 0)
      found.push(`${place}: ${missed.join(', ')} is ${direction === 'sent' ? 'no longer taken' : 'new'}`);
    const words = listOf(is['enum']);
    for (const word of listOf(was['enum']))
      if (words.length > 0 && !words.includes(word)) found.push(`${place}: the word ${String(word)} is gone`);
    for (const limit of ['maxLength', 'maxItems', 'maximum']) {
      const [former, current] = [was[limit], is[limit]];
      if (
        direction === 'sent' &&
        typeof current === 'number' &&
        current < (typeof former === 'number' ? former : Infinity)
      )
        found.push(`${place}: ${limit} is less`);
    }
  };

  for (const [path, item] of Object.entries(membersOf(documents.before['paths']))) {
    const nowItem = membersOf(membersOf(documents.after['paths'])[path]);
    for (const [method, operation] of Object.entries(membersOf(item))) {
      const place = `${method} ${path}`;
      const [was, is] = [membersOf(operation), membersOf(nowItem[method])];
      if (!(method in nowItem)) {
        found.push(`${place}: is gone`);
        continue;
      }
      if (was['operationId'] !== is['operationId']) found.push(`${place}: has another operationId`);
      compareParameters(place, was, is);
      compareContent(`${place} body`, was['requestBody'], is['requestBody'], 'sent');
      if (membersOf(is['requestBody'])['required'] === true && membersOf(was['requestBody'])['required'] !== true)
        found.push(`${place} body: is required now`);
      for (const [status, reply] of Object.entries(membersOf(was['responses']))) {
        const replies = membersOf(is['responses']);
        if (status in replies) compareContent(`${place} ${status}`, reply, replies[status], 'read');
        else if (Number(status) < 400) found.push(`${place} ${status}: is gone`);
      }
    }
  }
  return found;

  function compareParameters(place: string, was: Json, is: Json): void {
    const name = (parameter: unknown): string =>
      `${String(membersOf(parameter)['in'])} ${String(membersOf(parameter)['name'])}`;
    const current = new Map(listOf(is['parameters']).map((parameter) => [name(parameter), membersOf(parameter)]));
    const former = new Map(listOf(was['parameters']).map((parameter) => [name(parameter), membersOf(parameter)]));
    for (const [which, parameter] of former) {
      const counterpart = current.get(which);
      if (counterpart === undefined) found.push(`${place}: the parameter ${which} is gone`);
      else compareSchemas(`${place} ${which}`, parameter['schema'], counterpart['schema'], 'sent');
    }
    for (const [which, parameter] of current)
      if (parameter['required'] === true && former.get(which)?.['required'] !== true)
        found.push(`${place}: the parameter ${which} is required now`);
  }

  function compareContent(place: string, was: unknown, is: unknown, direction: Direction): void {
    for (const [type, media] of Object.entries(membersOf(membersOf(was)['content']))) {
      const now = membersOf(membersOf(is)['content'])[type];
      if (now === undefined) found.push(`${place} ${type}: is gone`);
      else compareSchemas(`${place} ${type}`, membersOf(media)['schema'], membersOf(now)['schema'], direction);
    }
  }
}

type Direction = 'sent' | 'read';

const wordsOf = (type: unknown): readonly unknown[] => (Array.isArray(type) ? type : type === undefined ? [] : [type]);
