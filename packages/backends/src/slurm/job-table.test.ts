import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { JobTable } from './job-table.ts';
import { LoginNode } from './login.ts';

const name = (number: number) => `dstack-main-train-${number}-0123456789ab`;
const PLACE = '{"host":"gpu-1","port":4001}';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'job-table-'));
  mkdirSync(join(home, '.dstack/jobs'), { recursive: true });
  program('squeue', 'cat "$HOME/queue"');
  for (const it of ['head', 'find', 'cat', 'id']) {
    program(it, `echo ${it} >> "$HOME/programs"; exec $(command -v -p ${it}) "$@"`);
  }
  writeFileSync(join(home, 'queue'), '');
});
afterEach(() => rmSync(home, { recursive: true }));

function program(file: string, body: string): void {
  writeFileSync(join(home, file), `#!/bin/sh\n${body}\n`);
  chmodSync(join(home, file), 0o755);
}

/** A file in the folder of a job. */
function file(job: string, path: string, text: string): string {
  const folder = join(home, '.dstack/jobs', job, 'agent');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, path), text);
  return join(folder, path);
}

async function read() {
  const login = new LoginNode('hpc', async () => ({
    run: async (input) => {
      const env = { HOME: home, PATH: `${home}:${process.env.PATH}` };
      return {
        ...{ code: 0, stderr: '' },
        stdout: execFileSync('sh', ['-s'], { env, input, encoding: 'utf8' }),
      };
    },
    forward: () => Promise.reject(new Error('no forward')),
  }));
  const view = await new JobTable(login).view();
  return {
    jobs: [...view.jobs.values()].map((job) => `${job.name} ${job.state}`),
    tunnels: [...view.tunnels]
      .flatMap(([job, places]) =>
        [...places].map(([rank, { host, port }]) => `${job} ${rank} ${host}:${port}`),
      )
      .sort(),
    folders: [...view.folders].filter((folder) => /^dstack-[\w-]+$/.test(folder)),
  };
}

it('reads jobs, the folders of jobs, and where their agents listen', async () => {
  const line = (id: number, state: string) => `${id}|${state}|gpu|gpu-1|1|${name(1)}|(null)|None`;
  writeFileSync(join(home, 'queue'), `${line(7, 'PREEMPTED')}\n${line(9, 'RUNNING')}\n`);
  file(name(1), 'tunnel.0', PLACE);
  file(name(1), 'tunnel.1', '{"host":"gpu-2","port":4002}\n');
  file(name(2), 'token', 'x');
  expect(await read()).toEqual({
    jobs: [`${name(1)} RUNNING`],
    tunnels: [`${name(1)} 0 gpu-1:4001`, `${name(1)} 1 gpu-2:4002`],
    folders: [name(1), name(2)],
  });
});

it('is empty where no job has been', async () => {
  rmSync(join(home, '.dstack'), { recursive: true });
  expect(await read()).toEqual({ jobs: [], tunnels: [], folders: [] });
});

it('starts as many programs for a hundred jobs as for one', async () => {
  const started = () => readFileSync(join(home, 'programs'), 'utf8').split('\n').length;
  file(name(0), 'tunnel.0', PLACE);
  await read();
  const few = started();
  for (let i = 1; i < 100; i++) file(name(i), 'tunnel.0', PLACE);
  expect((await read()).tunnels).toHaveLength(100);
  expect(started()).toBe(few * 2 - 1);
});

it('takes nothing from files that jobs have put there in the place of ours', async () => {
  file(name(1), 'tunnel.0', PLACE);
  const forged = `dstack-folders\n${home}/.dstack/jobs/${name(1)}/agent/tunnel.0 {"host":"evil","port":1}`;
  file(name(2), 'tunnel.0', `${forged}\n`);
  file(name(3), 'tunnel.0', 'x'.repeat(1024 * 1024));
  const folder = join(home, '.dstack/jobs', name(4), 'agent/tunnel.0\n');
  mkdirSync(join(folder, home, '.dstack/jobs', name(1)), { recursive: true });
  writeFileSync(join(folder, home, '.dstack/jobs', name(1), 'tunnel.1'), PLACE);
  file(name(5), 'tunnel.$(touch evil) *', PLACE);
  for (let rank = 10_000; rank < 11_000; rank++) file(name(5), `tunnel.${rank}`, PLACE);
  const secret = file(name(6), 'secret', PLACE);
  symlinkSync(secret, join(home, '.dstack/jobs', name(6), 'agent/tunnel.0'));
  execFileSync('mkfifo', [join(home, '.dstack/jobs', name(6), 'agent/tunnel.1')]);
  const { tunnels, folders } = await read();
  expect(tunnels).toEqual([`${name(1)} 0 gpu-1:4001`]);
  expect(folders).toEqual([1, 2, 3, 4, 5, 6].map(name));
});
