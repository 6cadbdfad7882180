/** The batch script as a shell runs it, with programs in place of those of Slurm and Apptainer. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { batchScript } from './batch.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'apptainer-'));
  mkdirSync(join(dir, 'job/agent'), { recursive: true });
  // The script waits for it in the background, to remove the credentials.
  writeFileSync(join(dir, 'job/agent/tunnel.0'), '');
  mkdirSync(join(dir, 'credentials'));
  writeFileSync(join(dir, 'credentials', 'password'), "a b'$c");
  // Both print a line per argument and per variable of their environment that matters.
  const show = (name: string, pattern: string) =>
    `for word in "$@"; do echo "${name} <$word>"; done; env | grep -E '^(${pattern})' | sort\n`;
  program(
    'srun',
    `while [ "\${1#--}" != "$1" ]; do echo "srun <$1>"; shift; done
export SLURM_PROCID=1 CUDA_VISIBLE_DEVICES=0,1 SLURM_JOB_NODELIST='gpu-[1-2] "x"'
exec "$@"\n`,
  );
  program('apptainer', show('apptainer', 'APPTAINER'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function program(name: string, body: string): void {
  writeFileSync(join(dir, name), `#!/bin/sh\n${body}`, { mode: 0o755 });
}

it('starts the container with these arguments, and passes what Slurm has set for the task', () => {
  const script = batchScript({
    ...{ tool: 'apptainer', image: 'ghcr.io/a/b:1', programs: '/home/d/p', cpus: 2 },
    ...{ folder: join(dir, 'job'), hasGpus: true, agent: ['/run/node', 'a b'] },
    node: '/run/ld --path /run/node',
    credentials: { folder: join(dir, 'credentials'), user: 'me' },
  });
  const env = { PATH: `${dir}:${process.env.PATH}`, HOME: dir };
  const output = execFileSync('sh', ['-s'], {
    ...{ env, input: script },
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect(output.split('\n').filter(Boolean)).toEqual([
    ...['srun <--export=ALL>', 'srun <--kill-on-bad-exit=1>', 'srun <--cpus-per-task=2>'],
    ...[
      ...['exec', '--writable-tmpfs', '--no-home', '--containall', '--fakeroot', '--nv', '--bind'],
      `/home/d/p:/run/dstack-programs:ro,${dir}/job/agent:/run/dstack-job`,
      ...['docker://ghcr.io/a/b:1', '/run/node', 'a b'],
    ].map((word) => `apptainer <${word}>`),
    'APPTAINERENV_CUDA_VISIBLE_DEVICES=0,1',
    'APPTAINERENV_DSTACK_AGENT_NODE=/run/ld --path /run/node',
    'APPTAINERENV_DSTACK_AGENT_SYNC=off',
    'APPTAINERENV_SLURM_JOB_NODELIST=gpu-[1-2] "x"',
    'APPTAINERENV_SLURM_PROCID=1',
    "APPTAINER_DOCKER_PASSWORD=a b'$c",
    'APPTAINER_DOCKER_USERNAME=me',
  ]);
});
