/* Who may import whom: the table of docs/architecture.md as a test. A folder that is not named in a row may not be imported
   from it. Types vanish when compiled, so two layers may see types that they may not call. */

const layers = {
  domain: [],
  platform: [],
  config: [],
  migrations: [],
  formats: ['domain', 'platform'],
  connectors: ['domain', 'formats', 'platform'],
  database: ['domain', 'platform'],
  activities: ['domain', 'connectors', 'database', 'platform'],
  workflows: ['domain/run.ts'],
  api: ['domain', 'formats', 'config', 'platform', 'database', 'workflows/messages.ts', 'connectors/settings.ts'],
  worker: [
    ...['domain', 'platform', 'config', 'migrations', 'formats', 'connectors', 'database', 'activities', 'workflows'],
    ...['launch', 'samples'],
  ],
  launch: ['config', 'platform'],
  client: [],
  cli: ['config', 'launch', 'client', 'formats', 'platform', 'domain/access.ts', 'samples'],
  web: ['client'],
  samples: [],
};

/** Beyond the above, but only as types. */
const typesOnly = {
  workflows: ['domain', 'activities'],
  api: ['workflows'],
  samples: ['domain'],
  cli: ['domain'],
};

/** Pure packages that `domain/` may use. */
const purePackages = [];

const ours = [...Object.keys(layers), 'bench', 'test', 'docs', 'scripts'];
const isTest = '\\.spec\\.ts$';
const escaped = (path) => path.replaceAll('.', '\\.').replaceAll('/', '[/]');
const pathOf = (name) => (name.endsWith('.ts') ? `^${escaped(name)}$` : `^${escaped(name)}/`);
const anyOfOurs = `^(${ours.join('|')})/`;

/* `cli` starts the platform: the commands that do so may take the entry points of worker and API, which stand at the top of their folders. */
const startingCommands = '^cli/(up|demo|demo-platform|apply|doctor)\\.ts$';
const entryPoints = '^(worker|api)/[^/]+\\.ts$';

const layerRules = Object.entries(layers).flatMap(([layer, allowed]) => {
  const from = { path: `^${layer}/`, pathNot: layer === 'cli' ? [isTest, startingCommands] : [isTest] };
  const values = [pathOf(layer), ...allowed.map(pathOf)];
  const types = typesOnly[layer];
  const comment = `${layer}/ may import ${[...allowed, ...(types ?? []).map((name) => `${name} as types`)].join(', ') || 'nothing of ours'}`;
  const rule = (name, to) => ({ name, severity: 'error', comment, from, to: { path: anyOfOurs, ...to } });
  if (types === undefined) return [rule(`layer-${layer}`, { pathNot: values })];
  return [
    rule(`layer-${layer}`, { pathNot: values, dependencyTypesNot: ['type-only'] }),
    rule(`layer-${layer}-types`, { pathNot: [...values, ...types.map(pathOf)], dependencyTypes: ['type-only'] }),
  ];
});

module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: 'layer-cli-starting',
      severity: 'error',
      comment: 'commands that start the platform may import its entry points besides',
      from: { path: startingCommands },
      to: { path: anyOfOurs, pathNot: ['^cli/', ...layers.cli.map(pathOf), entryPoints] },
    },
    {
      name: 'no-circular',
      severity: 'error',
      comment: 'no cycles, but of types (an entity and its relations know each other)',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'domain-is-pure-core',
      severity: 'error',
      comment: 'domain/ has no I/O, no clock and no randomness: no module of Node',
      from: { path: '^domain/', pathNot: [isTest] },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'domain-is-pure-packages',
      severity: 'error',
      comment: 'domain/ takes packages only from the list of pure ones above',
      from: { path: '^domain/', pathNot: [isTest] },
      to: { path: 'node_modules', pathNot: purePackages.map((name) => `node_modules/${name}/`) },
    },
    {
      name: 'workflows-are-bundled',
      severity: 'error',
      comment: "Temporal's bundler silently takes packages in that cannot run there: only its own",
      from: { path: '^workflows/', pathNot: [isTest] },
      to: { path: 'node_modules', pathNot: ['node_modules/@temporalio/workflow/'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'workflows-know-no-node',
      severity: 'error',
      from: { path: '^workflows/', pathNot: [isTest] },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-development-packages',
      severity: 'error',
      comment: 'what ships must not need what does not',
      from: { path: `^(${Object.keys(layers).join('|')})/`, pathNot: [isTest] },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only', 'npm'] },
    },
    { name: 'not-resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|\\.concord|web/dist)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
