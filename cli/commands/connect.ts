import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { dataOf } from '../../client/client.js';
import type { ConnectionTest, DiscoveredEntity, Discovery } from '../../domain/inquiry.js';
import { answerOf, findSystem } from '../asking.js';
import type { Call, Command, Outcome } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { Failure } from '../failure.js';
import { tableOf } from '../terminal.js';
import type { Paint } from '../terminal.js';

/** `concord connect` */
export const connect: Command = {
  name: 'connect',
  summary: 'see whether a system answers and what it holds, and have a mapping proposed',
  arguments: [{ name: 'system', description: 'its name, as `concord apply` made it' }],
  options: [
    { name: 'entity', value: 'ENTITY', description: 'the table or file to look at closely' },
    { name: 'type', value: 'TYPE', description: 'the entity type that its rows are of: proposes a mapping' },
    { name: 'into', value: 'FOLDER', description: 'write the proposed mapping into this folder of configuration' },
  ],
  examples: [
    { command: 'concord connect registry', does: 'does it answer, and what does it hold' },
    { command: 'concord connect registry --entity students', does: 'its columns, in figures and without samples' },
    {
      command: 'concord connect registry --entity students --type person --into college',
      does: 'proposes a mapping, as a file to look through and apply',
    },
  ],
  async run(call) {
    const api = call.api();
    const { id: systemId, name } = await findSystem(api, call.argument('system'));
    const params = () => ({ path: { systemId }, header: { 'Idempotency-Key': randomUUID() } });
    const tested = await dataOf(api.POST('/systems/{systemId}/test', { params: params() }));
    const connection = await answerOf<ConnectionTest>(call, tested);
    call.progress.note(
      `${name} answers: ${connection.product} ${connection.version}, in ${String(connection.milliseconds)} ms.`,
    );
    const discover = async (entities?: string[]): Promise<{ id: string; discovery: Discovery }> => {
      const asked = await dataOf(
        api.POST('/systems/{systemId}/discover', {
          params: params(),
          body: entities === undefined ? {} : { entities },
        }),
      );
      return { id: asked.id ?? '', discovery: await answerOf<Discovery>(call, asked) };
    };
    const wanted = call.given('entity') ?? (await choose(call, (await discover()).discovery));
    if (wanted === null) {
      const { discovery } = await discover();
      return { data: { connection, ...discovery }, text: (paint) => entitiesText(discovery, paint) };
    }
    const { id, discovery } = await discover([wanted]);
    const entity = discovery.entities.find((one) => one.entity === wanted);
    if (entity === undefined)
      throw new Failure(exitCodes.failed, 'not_found', `${name} holds no ${wanted}.`, {
        remedy: `concord connect ${name} lists what it holds.`,
      });
    const type =
      call.given('type') ?? ((await call.ask('Of which entity type are its rows? (empty: only look) ')) || null);
    if (type === null) return { data: { connection, entity }, text: (paint) => columnsText(entity, paint) };
    return await propose(call, { inquiryId: id, system: name, entity, type });
  },
};

/* Whoever sits at the terminal is asked; null: all are listed. */
async function choose(call: Call, { entities }: Discovery): Promise<string | null> {
  if (!call.isWatched) return null;
  for (const { entity, columns } of entities) call.progress.note(`  ${entity} (${String(columns.length)} columns)`);
  return (await call.ask('Which of these? (empty: all are listed) ')) || null;
}

interface Wanted {
  readonly inquiryId: string;
  readonly system: string;
  readonly entity: DiscoveredEntity;
  readonly type: string;
}

async function propose(call: Call, { inquiryId, system, entity, type }: Wanted): Promise<Outcome> {
  const proposal = await dataOf(
    call.api().POST('/mappings/propose', { body: { inquiryId, entity: entity.entity, entityType: type } }),
  );
  const { definition, matches, unmapped } = proposal;
  if (definition === null)
    throw new Failure(exitCodes.failed, 'nothing_fits', `No column of ${entity.entity} fits an attribute of ${type}.`, {
      remedy: 'Write the mapping by hand: docs/guide/first-hour.md shows one.',
    });
  const yaml = stringify(definition);
  const folder = call.given('into');
  const file = folder === undefined ? null : join(folder, 'mappings', `${system}.${entity.entity}.yaml`);
  if (file !== null) {
    mkdirSync(dirname(file), { recursive: true });
    try {
      writeFileSync(file, yaml, { flag: 'wx' });
    } catch (cause) {
      throw new Failure(exitCodes.failed, 'file_exists', `${file} is there already. Nothing was written.`, { cause });
    }
  }
  return {
    data: { ...proposal, file },
    text: (paint) =>
      [
        columnsText(entity, paint),
        '',
        tableOf(
          paint,
          ['COLUMN', 'SAYS', 'SURE', 'BECAUSE'],
          matches.map((match) => [
            match.column,
            match.group === '' ? match.attribute : `${match.group}.${match.attribute}`,
            String(match.confidence),
            match.why,
          ]),
          'Nothing is proposed.',
        ),
        ...(unmapped.length === 0 ? [] : [`For ${unmapped.join(', ')} nothing is proposed.`]),
        '',
        file === null ? yaml : `Written to ${file}: look it through, then \`concord apply ${folder ?? ''}\`.`,
      ].join('\n'),
  };
}

const entitiesText = ({ entities, more }: Discovery, paint: Paint): string =>
  tableOf(
    paint,
    ['ENTITY', 'KEY', 'COLUMNS'],
    entities.map(({ entity, key, columns }) => [entity, key.join(', '), columns.map(({ name }) => name).join(', ')]),
    'It holds nothing.',
  ) + (more ? '\nThere are more: name one with --entity.' : '');

const columnsText = ({ entity, key, columns, statistics }: DiscoveredEntity, paint: Paint): string =>
  [
    paint.bold(`${entity}${key.length === 0 ? '' : ` (key: ${key.join(', ')})`}`),
    tableOf(
      paint,
      ['COLUMN', 'TYPE', 'LOOKS LIKE', 'BLANK', 'DIFFERENT', 'LONGEST'],
      columns.map(({ name, type }) => {
        const figures = statistics?.columns.find((one) => one.column === name);
        return figures === undefined
          ? [name, type, '', '', '', '']
          : [
              name,
              type,
              figures.form,
              `${String(Math.round(figures.blank * 100))}%`,
              figures.distinct,
              figures.longest,
            ];
      }),
      'It has no columns.',
    ),
  ].join('\n');
