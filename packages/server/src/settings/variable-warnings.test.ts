import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { variableWarnings } from './variable-warnings.ts';

it('known variables, and those of other programs, cause no warning', () => {
  const env = { DSTACK_SERVER_PORT: '1', DSTACK_TOKEN: 't', DSTACK_RUN_NAME: 'r', PATH: '/bin' };
  expect(variableWarnings(env)).toEqual([]);
});

it.each([
  ['DSTACK_SERVER_S3_BUCKET', 'is not supported and has no effect: uploads are stored in'],
  ['DSTACK_SERVER_FLUENTBIT_HOST', 'the output of jobs is stored in'],
  ['DSTACK_PLUGIN_SERVICE_URI', 'its policy is NOT enforced'],
  ['DSTACK_OTEL_TRACES_ENABLED', 'DSTACK_ENABLE_PROMETHEUS_METRICS serves metrics'],
  ['DSTACK_SERVER_PROT', 'did you mean DSTACK_SERVER_PORT?'],
  ['DSTACK_SEVER_DIR', 'did you mean DSTACK_SERVER_DIR?'],
  ['DSTACK_XYZZY', 'DSTACK_XYZZY is not a variable of dstack and has no effect'],
])('%s is named with what holds instead, without its value', (name, text) => {
  const warnings = variableWarnings({ [name]: 'hidden-value' });
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain(text);
  expect(warnings[0]).not.toContain('hidden-value');
});

it('every variable that the programs read is known', () => {
  const packages = join(import.meta.dirname, '../../..');
  const files = globSync('{server,cli,store,agent,backends}/src/**/*.ts', { cwd: packages });
  const sources = files.filter((path) => !/\.(test|suite)\.ts$|\/testing\//.test(path));
  const read = sources.flatMap((path) => {
    const text = readFileSync(join(packages, path), 'utf8');
    return [...text.matchAll(/\benv\.(DSTACK_[A-Z0-9_]+)|\(\w*env, '(DSTACK_[A-Z0-9_]+)'/g)];
  });
  const names = new Set(read.map(([, direct, named]) => direct ?? named ?? ''));
  expect(names.size).toBeGreaterThan(50);
  expect(variableWarnings(Object.fromEntries([...names].map((name) => [name, '1'])))).toEqual([]);
});

it('every variable that the documentation names is known', () => {
  const docs = join(import.meta.dirname, '../../../../docs');
  const texts = globSync('*.md', { cwd: docs }).map((name) =>
    readFileSync(join(docs, name), 'utf8'),
  );
  const names = new Set(texts.flatMap((text) => text.match(/\bDSTACK_\w*[A-Z0-9]\b(?!_)/g) ?? []));
  expect(names.size).toBeGreaterThan(100);
  const given = Object.fromEntries([...names].map((name) => [name, '1']));
  const notSupported = / is not supported and has no effect: /;
  expect(variableWarnings(given).filter((text) => !notSupported.test(text))).toEqual([]);
});
