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
      '  - resources.shm_size: (none) -> 16GB',
      '  - groups.1.nodes: 1 -> 3',
      '  - groups.1.env',
      '  - replicas: 1..2 -> 1..5',
      '',
    ].join('\n'),
  );
});

test('of a map that was unset, the fields that are set now are shown', () => {
  const gpu = { vendor: null, name: ['H100'], count: { min: 1, max: 8 } };
  const resources = { cpu: { arch: null, count: { min: 64, max: null } }, memory: null, gpu };
  const unset = { configuration: { resources: null, retry: { duration: 3600 }, volume: {} } };
  const diff = diffSpecs(unset, { configuration: { resources, retry: null, volume: null } });
  expect(renderDiff(diff)).toBe(
    [
      '- Configuration properties:',
      '  - resources.cpu.count: (none) -> 64..',
      '  - resources.gpu.name: (none) -> ["H100"]',
      '  - resources.gpu.count: (none) -> 1..8',
      '  - retry.duration: 1h -> (none)',
      '  - volume: {} -> (none)',
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

test('of long values only the parts that differ are shown', () => {
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
      '  - commands:',
      `    - …tpd -p 8000 -h ${'/w'.repeat(21)}/…`,
      '    + …tpd -p 8001',
      `  - image: ${'a'.repeat(59)}… -> b`,
      '',
    ].join('\n'),
  );
});

test('a change in the middle of many commands, or of a script, is shown with its lines only', () => {
  const script = (lines: readonly string[]) => ['set -e', 'cd /work', ...lines, 'exit 0'];
  const before = script(['pip install one==1.0', 'python train.py --epochs 10 --batch 8']);
  const after = script(['pip install one==1.1', 'pip install two', 'python train.py --epochs 20']);
  const lines = [
    '    - pip install one==1.0',
    '    - python train.py --epochs 10 --batch 8',
    '    + pip install one==1.1',
    '    + pip install two',
    '    + python train.py --epochs 20',
  ];
  const asList = diffSpecs(
    { configuration: { commands: before } },
    { configuration: { commands: after } },
  );
  const asScript = diffSpecs(
    { configuration: { init: before.join('\n') } },
    { configuration: { init: after.join('\n') } },
  );
  const shown = (label: string) => ['- Configuration properties:', `  - ${label}:`, ...lines, ''];
  expect(renderDiff(asList)).toBe(shown('commands').join('\n'));
  expect(renderDiff(asScript)).toBe(shown('init').join('\n'));
});

test('many changed lines are counted', () => {
  const lines = (word: string) =>
    Array.from({ length: 9 }, (_, n) => `echo ${word} ${n} `.repeat(4));
  const diff = diffSpecs(
    { configuration: { commands: lines('a') } },
    { configuration: { commands: lines('b') } },
  );
  const text = renderDiff(diff).split('\n');
  expect(text).toHaveLength(2 + 6 + 6 + 1);
  expect(text[7]).toBe('    - … and 4 more lines');
});

test('sizes and durations have units', () => {
  const stored = {
    configuration: {
      resources: { memory: { min: 8, max: null }, disk: { size: { min: 100, max: null } } },
      idle_duration: 300,
      stop_duration: null,
      size: 10,
      max_duration: 'off',
    },
  };
  const wanted = {
    configuration: {
      resources: { memory: { min: 2, max: null }, disk: { size: { min: 50, max: 80 } } },
      idle_duration: 3600,
      stop_duration: 90,
      size: 20,
      max_duration: 7200,
    },
  };
  expect(renderDiff(diffSpecs(stored, wanted))).toBe(
    [
      '- Configuration properties:',
      '  - resources.memory: 8GB.. -> 2GB..',
      '  - resources.disk.size: 100GB.. -> 50GB..80GB',
      '  - idle_duration: 5m -> 1h',
      '  - stop_duration: (none) -> 90s',
      '  - size: 10GB -> 20GB',
      '  - max_duration: off -> 2h',
      '',
    ].join('\n'),
  );
});

test('hosts of a fleet that are added or removed are named, keys are never shown', () => {
  const ssh = (...hosts: unknown[]) => ({ user: 'ubuntu', ssh_key: { private: 'k' }, hosts });
  const diff = diffSpecs(
    {
      configuration: {
        ssh_config: ssh('one.example.com', { hostname: 'two.example.com', ssh_key: 'k' }),
      },
    },
    { configuration: { ssh_config: ssh('one.example.com', { hostname: '10.0.0.3' }, '10.0.0.4') } },
  );
  expect(renderDiff(diff)).toBe(
    [
      '- Configuration properties:',
      '  - ssh_config.hosts:',
      '    - {"hostname":"two.example.com"}',
      '    + {"hostname":"10.0.0.3"}',
      '    + 10.0.0.4',
      '',
    ].join('\n'),
  );
});
