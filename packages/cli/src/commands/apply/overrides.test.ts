import { expect, test } from 'vitest';
import type { ApplicableRun } from '../../configuration/types.ts';
import { type RunFlags, runFlags } from './flags.ts';
import { applyFlags, mergePorts, resolveReferences } from './overrides.ts';

const flags = (fields: Partial<RunFlags> = {}): RunFlags => ({
  ...runFlags({ profile: true }),
  ...fields,
});
const profile = (fields: Partial<RunFlags['profile']>): RunFlags =>
  flags({ profile: { ...flags().profile, ...fields } });

const task = {
  type: 'task',
  commands: ['python ${{ run.args }}'],
  env: {},
  ports: [{ local_port: 8080, container_port: 8080 }],
  resources: { cpu: 'from the file', memory: { min: 8, max: null } },
  max_price: 5,
  backends: ['aws'],
} as unknown as ApplicableRun;

test('a resource flag replaces the whole field of the file', async () => {
  const { resources } = await applyFlags(task, flags({ gpu: 'H100:2', memory: '16GB..' }));
  expect(resources).toMatchObject({
    cpu: 'from the file',
    memory: { min: 16, max: null },
    gpu: { name: ['H100'], count: { min: 2, max: 2 } },
  });
});

test('profile flags replace fields of the file, other fields stay', async () => {
  const flagged = profile({
    maxPrice: '1.5',
    regions: ['eu'],
    spotPolicy: 'spot',
    idleDuration: '1h',
    maxDuration: 'off',
    retryDuration: '2h',
    fleets: ['a', 'p/b'],
  });
  expect(await applyFlags(task, flagged)).toMatchObject({
    max_price: 1.5,
    regions: ['eu'],
    spot_policy: 'spot',
    idle_duration: 3600,
    max_duration: 'off',
    backends: ['aws'],
    retry: { duration: 7200 },
    fleets: [{ name: 'a' }, { project: 'p', name: 'b' }],
  });
});

test.each([
  [flags({ gpu: 'A100:H100' }), '--gpu'],
  [flags({ ports: ['x'] }), '--port'],
  [profile({ maxDuration: 'soon' }), '--max-duration'],
  [profile({ backends: ['nowhere'] }), '--backend'],
])('an error about an invalid value names its flag', async (given, name) => {
  await expect(applyFlags(task, given)).rejects.toThrow(`Cannot read ${name}`);
});

const port = (local: number | null, container: number) => ({
  local_port: local,
  container_port: container,
});

test('ports of flags replace those of the same container port', () => {
  expect(mergePorts([port(80, 80), port(90, 90)], [port(null, 80), port(1, 2)])).toEqual([
    port(null, 80),
    port(90, 90),
    port(1, 2),
  ]);
});

test.each([
  [[port(1, 5)], [port(1, 6)]],
  [[], [port(1, 6), port(2, 6)]],
])('ports that clash are refused', (configured, given) => {
  expect(() => mergePorts(configured, given)).toThrow('already in use');
});

test('arguments and environment are filled in, secrets are left for the server', () => {
  const configuration = {
    ...task,
    env: { T: { key: 'TOKEN' } },
    registry_auth: { username: '${{ env.T }}', password: '${{ secrets.P }}' },
  } as unknown as ApplicableRun;
  const input = { envFlags: [], runArgs: ['a b'], env: { TOKEN: 't' } };
  expect(resolveReferences(configuration, input)).toMatchObject({
    commands: ["python 'a b'"],
    env: { T: 't' },
    registry_auth: { username: 't', password: '${{ secrets.P }}' },
  });
});

test('values of members are left for the server where the task is an array', () => {
  const commands = ['a ${{ array.lr }} ${{ run.args }} $${{ array.lr }} $$HOME'];
  const given = { envFlags: [], runArgs: ['x'], env: {} };
  const plain = { ...task, commands } as ApplicableRun;
  const array = { ...plain, array: { count: 2, max_parallel: 1, max_failures: 0 } };
  expect(resolveReferences(array as ApplicableRun, given)).toMatchObject({
    commands: ['a ${{ array.lr }} x $${{ array.lr }} $HOME'],
  });
  expect(() => resolveReferences(plain, given)).toThrow('array.lr');
});

test('arguments that a command uses must be given', () => {
  const input = { envFlags: [], runArgs: [], env: {} };
  expect(() => resolveReferences(task, input)).toThrow('run.args');
});

test('a relative working directory is refused', () => {
  const input = { envFlags: [], runArgs: ['x'], env: {} };
  const relative = { ...task, working_dir: 'src' } as ApplicableRun;
  expect(() => resolveReferences(relative, input)).toThrow('absolute');
});
