/** Who may import whom. The same table stands, with reasons, in docs/architecture.md. */
const allowed = {
  contract: [],
  core: ['contract'],
  store: ['contract', 'core'],
  backends: ['contract', 'core'],
  server: ['contract', 'core', 'store', 'backends'],
  agent: ['contract'],
  client: ['contract'],
  cli: ['contract', 'client'],
};

const SOURCE = '(?!.*\\.(test|suite)\\.ts$)(?!testing/)(?!.*/testing/)(?!.*/testing\\.ts$)';

const borders = Object.entries(allowed).map(([name, targets]) => ({
  name: `${name}-imports`,
  comment: `${name} may import ${['nothing of ours', ...targets].at(targets.length ? -1 : 0)}`,
  severity: 'error',
  from: { path: `^packages/${name}/src/${SOURCE}` },
  to: { path: `^packages/(?!${[name, ...targets].join('/|')}/)` },
}));

module.exports = {
  forbidden: [
    ...borders,
    {
      name: 'no-cycles',
      severity: 'error',
      from: { path: '^packages' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
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
      name: 'no-imports-from-inside-another-package',
      severity: 'error',
      from: { path: '^packages/([^/]+)/' },
      to: {
        path: '^packages/([^/]+)/src/',
        pathNot: [
          '^packages/$1/',
          '/src/index\\.ts$',
          '^packages/contract/src/(wire|api|agent|status)/index\\.ts$',
          // A constant and grammars, without the schemas beside them.
          '^packages/contract/src/wire/version\\.ts$',
          '^packages/contract/src/grammar/(ssh|plain-text)\\.ts$',
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
