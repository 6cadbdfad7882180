/** The batch script as a shell runs it, with programs in place of those of Slurm and Apptainer. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FakeContainer, writeFakeApptainer } from '@dstack/testkit/apptainer';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { batchScript } from './batch.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'apptainer-'));
  mkdirSync(join(dir, 'job/agent'), { recursive: true });
  mkdirSync(join(dir, 'programs'));
  // The script waits for it in the background, to remove the credentials.
  writeFileSync(join(dir, 'job/agent/tunnel.0'), '');
  mkdirSync(join(dir, 'credentials'));
  writeFileSync(join(dir, 'credentials', 'password'), "a b'$c");
  program(
    'srun',
    `while [ "\${1#--}" != "$1" ]; do echo "srun <$1>" >&2; shift; done
export SLURM_PROCID=1 CUDA_VISIBLE_DEVICES=0,1 SLURM_JOB_NODELIST='gpu-[1-2] "x" $HOME'
exec "$@"\n`,
  );
  writeFakeApptainer(dir);
});
afterEach(() => rmSync(dir, { recursive: true }));

function program(name: string, body: string): void {
  writeFileSync(join(dir, name), `#!/bin/sh\n${body}`, { mode: 0o755 });
}

function run(hasGpus: boolean) {
  const script = batchScript({
    ...{ tool: 'apptainer', image: 'ghcr.io/a/b:1', programs: join(dir, 'programs'), cpus: 2 },
    ...{ folder: join(dir, 'job'), hasGpus, agent: ['/run/node', 'a b'] },
    node: '/run/ld --path /run/node',
    credentials: { folder: join(dir, 'credentials'), user: 'me' },
  });
  const env = { PATH: `${dir}:${process.env.PATH}`, HOME: dir, LOGIN_SECRET: 'of the user' };
  const { stdout, stderr } = spawnSync('sh', ['-s'], {
    ...{ env, input: script },
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { container: JSON.parse(stdout) as FakeContainer, stderr };
}

it('starts the container with these arguments, and passes what Slurm has set for the task', () => {
  const { container, stderr } = run(true);
  expect(stderr.split('\n').filter(Boolean)).toEqual([
    ...['srun <--export=ALL>', 'srun <--kill-on-bad-exit=1>', 'srun <--cpus-per-task=2>'],
  ]);
  const { env, ...rest } = container;
  expect(rest).toEqual({
    ...{ image: 'docker://ghcr.io/a/b:1', argv: ['/run/node', 'a b'] },
    options: ['containall', 'fakeroot', 'no-home', 'nv', 'writable-tmpfs'],
    mounts: [
      { source: join(dir, 'programs'), target: '/run/dstack-programs', option: 'ro' },
      { source: join(dir, 'job/agent'), target: '/run/dstack-job', option: 'rw' },
    ],
    login: { user: 'me', password: "a b'$c" },
  });
  const { PATH, HOME, ...passed } = env;
  expect(passed).toEqual({
    CUDA_VISIBLE_DEVICES: '0,1',
    DSTACK_AGENT_NODE: '/run/ld --path /run/node',
    DSTACK_AGENT_SYNC: 'off',
    SLURM_JOB_NODELIST: 'gpu-[1-2] "x" $HOME',
    SLURM_PROCID: '1',
  });
});

it('shows a job without GPUs none', () => {
  const { options, env } = run(false).container;
  expect(options).not.toContain('nv');
  expect(env.NVIDIA_VISIBLE_DEVICES).toBe('void');
});
