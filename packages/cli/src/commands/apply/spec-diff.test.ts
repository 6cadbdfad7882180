import { expect, test } from 'vitest';
import { diffSpecs, renderDiff, sameValue } from './spec-diff.ts';

test('null and absent fields and the order of keys make no difference', () => {
  expect(sameValue({ a: 1, b: null }, { a: 1 })).toBe(true);
  expect(sameValue({ a: { x: [1, 2] } }, { a: { x: [1, 2] } })).toBe(true);
  expect(sameValue([1, 2], [2, 1])).toBe(false);
  expect(sameValue({ a: 0 }, {})).toBe(false);
});

test('changes are listed with old and new values, secrets without', () => {
  const stored = {
    repo_code_hash: 'a',
    configuration: { commands: ['x'], replicas: null, env: { T: 'secret1' } },
    profile: { name: 'default' },
  };
  const wanted = {
    repo_code_hash: 'b',
    configuration: { commands: ['y'], replicas: { min: 2, max: 2 }, env: { T: 'secret2' } },
    profile: { name: 'default' },
    working_dir: '/a',
  };
  expect(renderDiff(diffSpecs(stored, wanted))).toBe(
    [
      '- Repo files',
      '- Configuration properties:',
      '  - commands: ["x"] -> ["y"]',
      '  - replicas: (none) -> 2',
      '  - env',
      '- Working dir: (none) -> /a',
      '',
    ].join('\n'),
  );
});

test('equal specs have no differences', () => {
  expect(diffSpecs({ a: [{ b: 1 }] }, { a: [{ b: 1, c: null }] })).toEqual([]);
});

test('only the fields that differ are shown of resources and groups', () => {
  const gpu = { vendor: null, name: ['H100'], count: { min: 1, max: 1 }, memory: null };
  const resources = { cpu: { arch: null, count: { min: 2, max: null } }, gpu, shm_size: null };
  const groups = [
    { commands: ['a'], nodes: 1 },
    { commands: ['b'], nodes: 1, env: { T: 's1' } },
  ];
  const stored = { configuration: { resources, groups, replicas: { min: 1, max: 2 } } };
  const wanted = structuredClone(stored);
  wanted.configuration.resources.gpu.count = { min: 2, max: 4 };
  Object.assign(wanted.configuration.resources, { shm_size: 16 });
  Object.assign(wanted.configuration.groups[1]!, { nodes: 3, env: { T: 's2' } });
  wanted.configuration.replicas.max = 5;
  expect(renderDiff(diffSpecs(stored, wanted))).toBe(
    [
      '- Configuration properties:',
      '  - resources.gpu.count: 1 -> 2..4',
      '  - resources.shm_size: (none) -> 16',
      '  - groups.1.nodes: 1 -> 3',
      '  - groups.1.env',
      '  - replicas: 1..2 -> 1..5',
      '',
    ].join('\n'),
  );
});

test('fields added or removed as a whole are shown without secrets and unset values', () => {
  const group = { commands: ['a'], env: { T: 'secret' }, retry: null };
  const diff = diffSpecs(
    { configuration: { groups: null } },
    { configuration: { groups: [group] } },
  );
  expect(renderDiff(diff)).toBe(
    '- Configuration properties:\n  - groups: (none) -> [{"commands":["a"]}]\n',
  );
});

test('long values are cut around the first difference', () => {
  const serve = (port: number) => `mkdir -p /tmp/w; echo svc > /tmp/w/index.html; httpd -p ${port}`;
  const diff = diffSpecs(
    {
      configuration: { commands: [`${serve(8000)} -h ${'/w'.repeat(40)}`], image: 'a'.repeat(70) },
    },
    { configuration: { commands: [serve(8001)], image: 'b' } },
  );
  expect(renderDiff(diff)).toBe(
    [
      '- Configuration properties:',
      `  - commands: …l; httpd -p 8000 -h ${'/w'.repeat(19)}… -> …l; httpd -p 8001"]`,
      `  - image: ${'a'.repeat(59)}… -> b`,
      '',
    ].join('\n'),
  );
});
