import type { Run } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { aRun } from '../../testing/runs.ts';
import { configurationRows } from './configuration-rows.ts';

const configured = (configuration: object, more: object = {}): Run =>
  aRun('train', {
    run_spec: { run_name: 'train', configuration: { type: 'task', ...configuration }, ...more },
  } as never);

const rowsOf = (...configurations: object[]) =>
  configurationRows(configurations.map((one) => configured(one)));

it('keys are compared one by one, also within maps', () => {
  expect(rowsOf({ env: { LR: '1', SEED: '7' } }, { env: { LR: '2', SEED: '7' } })).toEqual([
    { key: 'type', values: ['task', 'task'], differs: false },
    { key: 'env.LR', values: ['1', '2'], differs: true },
    { key: 'env.SEED', values: ['7', '7'], differs: false },
  ]);
});

it('lists of texts are one value, lists of maps have a key for each entry', () => {
  const rows = rowsOf(
    { commands: ['a', 'b'], volumes: [{ path: '/x' }, { path: '/y' }] },
    { commands: ['a'], volumes: [{ path: '/x' }] },
  );
  expect(rows.filter(({ differs }) => differs)).toEqual([
    { key: 'commands', values: ['a\nb', 'a'], differs: true },
    { key: 'volumes[1].path', values: ['/y', null], differs: true },
  ]);
});

it('names of runs differ always, and are left out; commits are compared', () => {
  const repo_data = { repo_type: 'remote', repo_name: 'llm', repo_branch: 'main' };
  const rows = configurationRows([
    configured({ name: 'a' }, { repo_data: { ...repo_data, repo_hash: '1' } }),
    configured({ name: 'b' }, { repo_data: { ...repo_data, repo_hash: '2' } }),
  ]);
  expect(rows.filter(({ differs }) => differs).map(({ key }) => key)).toEqual(['repo.commit']);
});

it('keys that mean something to programs are keys like others, and there is a limit of them', () => {
  expect(rowsOf(JSON.parse('{"env": {"__proto__": "1"}}'), {}).at(-1)).toEqual({
    key: 'env.__proto__',
    values: ['1', null],
    differs: true,
  });
  const env = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`A${index}`, '1']));
  expect(rowsOf({ env })).toHaveLength(500);
});
