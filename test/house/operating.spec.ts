import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { createApiMetrics } from '../../api/metrics.js';
import { createHub } from '../../database/hub.js';
import { projectFolder } from '../../launch/project-folder.js';
import { createLog } from '../../platform/log.js';
import { createWorkerMetrics } from '../../worker/metrics.js';
import { exposition } from '../../worker/read-models.js';

/* Alerts, dashboard and guide speak of metrics that there are. */

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string };
}

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
}

const read = (...path: readonly string[]): string => readFileSync(join(projectFolder(), 'docs', ...path), 'utf8');
const guide = read('operating.md');
const { rules } = (parse(read('operating', 'alerts.yml')) as { groups: [{ rules: readonly Rule[] }] }).groups[0];
const { panels } = JSON.parse(read('operating', 'dashboard.json')) as Dashboard;
let told: ReadonlySet<string>;

/* What the two kinds of processes really tell, from their own texts. */
beforeAll(async () => {
  const hub = createHub({ url: 'postgres://nobody@127.0.0.1:1/none', role: 'concord_worker', max: 1 });
  const log = createLog({ level: 'silent', name: 'test' });
  const accepting = (): boolean => true;
  const worker = createWorkerMetrics({ hub, log, accepting, temporalMetricsUrl: null });
  const texts = [await createApiMetrics({ accepting }).read(), await worker.read(), exposition([])];
  await hub.close();
  const types = texts.flatMap((text) => [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)]);
  told = new Set(
    types.flatMap(([, name = '', type]) =>
      type === 'histogram' ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
});

const namesIn = (expression: string): readonly string[] =>
  [...expression.replaceAll(/"[^"]*"/g, '').matchAll(/\b((?:concord|process|nodejs|temporal)_\w+)/g)].map(
    ([, name = '']) => name,
  );
const unknownIn = (expression: string): readonly string[] => namesIn(expression).filter((name) => !told.has(name));
const isBalanced = (expression: string): boolean => {
  const open: string[] = [];
  for (const sign of expression.replaceAll(/"[^"]*"/g, '')) {
    if ('([{'.includes(sign)) open.push(sign);
    const partner = { ')': '(', ']': '[', '}': '{' }[sign];
    if (partner !== undefined && open.pop() !== partner) return false;
  }
  return open.length === 0;
};

describe('alerts', () => {
  test.each(rules)('$alert is about metrics that there are, and the guide says what to do', ({ alert, expr }) => {
    expect([unknownIn(expr), isBalanced(expr)]).toEqual([[], true]);
    const [, remedy = ''] = guide.split(`### ${alert}\n`);
    expect(remedy.trim().split('\n')[0]?.length).toBeGreaterThan(40);
  });

  test('the guide explains no alert that there is not', () => {
    const explained = [...guide.matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
    expect(explained).toEqual(rules.map(({ alert }) => alert));
  });

  test('what each worker tells from tables is never added up over workers', () => {
    const both = [
      ...rules.map(({ expr }) => expr),
      ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ];
    const tables = exposition([]);
    const wrong = both.filter((expr) =>
      namesIn(expr).some((name) => {
        const family = name.replace(/_(bucket|sum|count)$/, '');
        return tables.includes(`# TYPE ${family} `) && !/max(\(| by| without)/.test(expr);
      }),
    );
    expect(wrong).toEqual([]);
  });
});

describe('the dashboard', () => {
  test.each(panels)('$title', ({ targets }) => {
    expect(targets.length).toBeGreaterThan(0);
    for (const { expr } of targets) expect([expr, unknownIn(expr), isBalanced(expr)]).toEqual([expr, [], true]);
  });
});

test('the guide names every metric of ours', () => {
  const ours = [...told].filter((name) => name.startsWith('concord_') && !/_(bucket|sum|count)$/.test(name));
  expect(ours.filter((name) => !guide.includes(`\`${name}`))).toEqual([]);
});
