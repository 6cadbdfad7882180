/** Who may import whom. The same table stands, with reasons, in docs/architecture.md. */
const allowed = {
  contract: [],
  ssh: ['contract'],
  proxy: ['contract', 'ssh'],
  core: ['contract'],
  store: ['contract', 'core'],
  backends: ['contract', 'core'],
  server: ['contract', 'ssh', 'proxy', 'core', 'store', 'backends', 'client', 'mcp'],
  agent: ['contract', 'ssh'],
  gateway: ['contract', 'ssh', 'proxy'],
  client: ['contract'],
  mcp: ['contract', 'client'],
  cli: ['contract', 'client', 'mcp'],
  web: ['contract', 'client'],
};

const SOURCE = '(?!.*\\.(test|suite)\\.tsx?$)(?!testing/)(?!.*/testing/)(?!.*/testing\\.ts$)';

/** Folders and files that help tests. */
const TESTING = '/testing[^/]*/|/testing[^/]*\\.ts$';

const borders = Object.entries(allowed).map(([name, targets]) => ({
  name: `${name}-imports`,
  comment: `${name} may import ${['nothing of ours', ...targets].at(targets.length ? -1 : 0)}`,
  severity: 'error',
  from: { path: `^packages/${name}/src/${SOURCE}` },
  to: { path: `^packages/(?!${[name, ...targets].join('/|')}/)` },
}));

/**
 * The folders of these packages, the lowest first. One may import those below it, not its neighbours; files beside
 * the folders put all of it together. Imports of types count too.
 */
const layers = {
  agent: [
    ['spool', 'host', 'network'],
    ['executor'],
    ['docker', 'process'],
    ['files', 'ssh'],
    ['jobs'],
    ['volumes', 'gateways'],
    ['protocol'],
  ],
  core: [
    ['compare', 'hash', 'model', 'names', 'profile'],
    ['autoscaling', 'capabilities', 'draft', 'pricing', 'schedule', 'shares', 'time'],
    ['status'],
    ['events', 'groups', 'offers', 'run-spec'],
    ['gateway-spec', 'job-spec', 'maintenance', 'moves', 'quotas', 'sweep', 'volume-spec'],
    ['fleet-spec'],
    ['instances'],
    ['placement'],
    ['reconcile'],
    ['plan'],
    ['explain'],
  ],
  store: [
    ['base', 'changes'],
    ['migrations', 'schema'],
    ['caches', 'connection'],
    ['context'],
    [
      'access',
      'backends',
      'claims',
      'events',
      'fleets',
      'gateways',
      'groups',
      'host-access',
      'jobs',
      'ledger',
      'logs',
      'retention',
      'secrets',
      'service-sessions',
      'sign-in-codes',
      'sweeps',
      'volumes',
    ],
    [
      'arrays',
      'files',
      'instances',
      'meta',
      'model-usage',
      'queue',
      'repos',
      'services',
      'sessions',
      'users',
    ],
    ['runs', 'shares'],
    ['pools', 'quotas'],
    ['engine', 'exports', 'projects'],
  ],
  server: [
    ['backend-config', 'callers', 'exec', 'keys', 'outages', 'outgoing', 'peers', 'process'],
    [
      'access',
      'catalog',
      'changes',
      'clock',
      'dial-ins',
      'logs',
      'offers',
      'oidc',
      'queues',
      'scaling',
      'service-table',
    ],
    ['blobs', 'hosts', 'retention', 'sweep'],
    ['agent-image', 'capacity', 'gateways', 'job-tunnels', 'probes', 'routers'],
    ['effects', 'traffic'],
    ['images', 'loops'],
    ['ssh-entry'],
    ['http'],
    ['agent-downloads', 'metrics', 'proxy-workers'],
    ['settings'],
    ['backup', 'sim'],
    ['config'],
    ['assembly'],
  ],
};

const layerBorders = Object.entries(layers).flatMap(([name, heights]) => [
  ...heights.flatMap((folders, height) =>
    folders.map((folder) => {
      const below = heights.slice(0, height).flat();
      return {
        name: `${name}-${folder}-imports`,
        severity: 'error',
        from: { path: `^packages/${name}/src/${SOURCE}${folder}/`, pathNot: TESTING },
        to: {
          path: `^packages/${name}/src/`,
          pathNot: `^packages/${name}/src/(${[folder, ...below].join('|')})/`,
        },
      };
    }),
  ),
  {
    name: `${name}-folders-are-layers`,
    severity: 'error',
    from: { path: `^packages/${name}/src/(?!(${heights.flat().join('|')}|testing)/)[^/]+/` },
    to: {},
  },
]);

module.exports = {
  forbidden: [
    ...borders,
    ...layerBorders,
    {
      name: 'no-cycles',
      comment:
        'imports of types count: what needs each other is one file, or a third one holds the type',
      severity: 'error',
      from: { path: '^packages' },
      to: { circular: true },
    },
    {
      name: 'core-is-pure',
      comment: 'decisions take time, ids and chance as arguments and touch nothing outside',
      severity: 'error',
      from: { path: `^packages/core/src/${SOURCE}` },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'contract-is-pure',
      severity: 'error',
      from: { path: `^packages/contract/src/${SOURCE}` },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'only-store-has-sql',
      severity: 'error',
      from: { path: '^packages/(?!store/|testkit/)' },
      to: { path: 'node_modules/(kysely|pg)/' },
    },
    {
      name: 'browsers-get-no-schemas',
      comment:
        'they are several times as large as the page that would use them: import types, or a module without them',
      severity: 'error',
      from: { path: `^packages/(web|client)/src/${SOURCE}` },
      to: {
        path: '^packages/contract/src/((wire|api|agent)/)?index\\.ts$',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'test-code-is-for-tests',
      severity: 'error',
      from: { path: '^packages/(?!testkit/)', pathNot: ['\\.(test|suite)\\.tsx?$', TESTING] },
      to: { path: ['^packages/testkit/', TESTING] },
    },
    {
      name: 'simulated-clouds-and-adapters-are-strangers',
      comment:
        'both are written from the documents of the provider, so that a shared mistake shows',
      severity: 'error',
      from: { path: '^packages/testkit/src/cloud/', pathNot: '\\.test\\.ts$' },
      to: { path: '^packages/(backends|server)/' },
    },
    {
      name: 'a-personality-imports-no-other',
      severity: 'error',
      from: { path: '^packages/testkit/src/cloud/personalities/([^/]+)/' },
      to: {
        path: '^packages/testkit/src/cloud/personalities/',
        pathNot: '^packages/testkit/src/cloud/personalities/$1/',
      },
    },
    {
      name: 'no-imports-from-inside-another-package',
      severity: 'error',
      from: { path: '^packages/([^/]+)/' },
      to: {
        path: '^packages/([^/]+)/src/',
        pathNot: [
          '^packages/$1/',
          '/src/index\\.ts$',
          '^packages/contract/src/(wire|api|agent|status)/index\\.ts$',
          // Constants, grammars and small functions, without the schemas beside them.
          '^packages/contract/src/wire/(cost-text|custom-urls|event-text|quota-text|session-key|token-prefixes|usage-sum|version)\\.ts$',
          '^packages/contract/src/agent/tunnel-security\\.ts$',
          '^packages/contract/src/configuration/array-members\\.ts$',
          '^packages/contract/src/grammar/(git|image-name|memory|nearest|plain-text|shell|ssh)\\.ts$',
          '^packages/contract/src/terminal/terminal-text\\.ts$',
          '^packages/contract/src/errors/error-message\\.ts$',
          '^packages/contract/src/(load|with-timeout)\\.ts$',
          '^packages/contract/src/yaml/(load|misread-times)\\.ts$',
          '^packages/contract/src/configuration/(backend-forms|joined-commands)\\.ts$',
          // Without ssh2, which index.ts loads.
          '^packages/ssh/src/(ed25519-pair|host-address|join-connections)\\.ts$',
          // For programs on Node only: browsers have no such sockets.
          '^packages/client/src/node-web-socket\\.ts$',
          // Builders of records, for tests alone.
          '^packages/core/src/testing/records\\.ts$',
          // The other end of a worker's link, for tests alone.
          '^packages/proxy/src/testing/index\\.ts$',
          // Loaded only where it is allowed.
          '^packages/backends/src/sim/index\\.ts$',
          '^packages/backends/src/(kubernetes|slurm)/index\\.ts$',
          // The contract suite of backends, for adapters that need a real world.
          '^packages/backends/src/base/testing/index\\.ts$',
          '^packages/testkit/src/',
        ],
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    parser: 'swc',
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
};
