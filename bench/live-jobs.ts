/**
 * Memory and CPU of server and agent with 1, 10 and 100 live jobs of one host, silent and printing.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import { dockerForBench } from './docker.ts';
import { installation } from './installation.ts';
import { print } from './measure.ts';
import { applyFleet, finished, submit } from './runs.ts';

const JOBS = [1, 10, 100];
const SECONDS = 10;
const TICKS_PER_SECOND = 100;

const KINDS = {
  idle: 'while :; do sleep 1000; done',
  // Ten lines a second.
  talking: 'while :; do echo "a line of a job that talks"; sleep 0.1; done',
};

export async function liveJobs(): Promise<void> {
  const docker = await dockerForBench();
  if (!docker) {
    print({ name: 'live jobs', unit: '-', skipped: 'no Docker daemon could be started' });
    return;
  }
  const home = installation({
    DSTACK_LOCAL_EXECUTOR: 'docker',
    DSTACK_LOCAL_MAX_INSTANCES: String(Math.max(...JOBS)),
    DOCKER_HOST: docker.host,
  });
  try {
    await home.startServer();
    await applyFleet(home, `0..${Math.max(...JOBS)}`);
    for (const [kind, command] of Object.entries(KINDS)) {
      const names: string[] = [];
      for (const count of JOBS) {
        for (let i = names.length; i < count; i++) {
          const name = `${kind}-${i}`;
          await submit(home, name, { commands: [command], image: docker.image });
          names.push(name);
        }
        await untilAllRun(home, names);
        await measure(home, count, kind);
      }
      await home.api('/api/project/main/runs/stop', { runs_names: names, abort: true });
      await Promise.all(names.map((name) => finished(home, name)));
    }
  } finally {
    await home.dispose();
    await docker.stop();
  }
}

async function untilAllRun(home: Installation, names: readonly string[]): Promise<void> {
  for (;;) {
    const runs = await home.api<{ run_spec: { run_name: string }; status: string }[]>(
      '/api/runs/list',
      { project_name: 'main', only_active: true, limit: 100, job_submissions_limit: 1 },
    );
    const running = runs.filter(({ status }) => status === 'running').length;
    if (running >= names.length) return;
    await delay(200);
  }
}

async function measure(home: Installation, jobs: number, kind: string): Promise<void> {
  const who = { agent: pidOf(home, /agent\/main\.js/), server: pidOf(home, /server\0--port/) };
  const before = { agent: cpuTicks(who.agent), server: cpuTicks(who.server) };
  // The duration is what is being measured: CPU use over time.
  await delay(SECONDS * 1000);
  const cpu = (name: 'agent' | 'server') => {
    const percent = (cpuTicks(who[name]) - before[name]) / TICKS_PER_SECOND / SECONDS;
    return Math.round(percent * 1000) / 10;
  };
  print({
    name: `${jobs} ${kind} jobs in Docker`,
    unit: 'MB, % of a CPU',
    'agent memory': memory(who.agent),
    'agent CPU': cpu('agent'),
    'server memory': memory(who.server),
    'server CPU': cpu('server'),
  });
}

/** The largest process, as a launcher may have the same arguments on its command line. */
function pidOf(home: Installation, words: RegExp): number {
  const found = home
    .processes()
    .filter((pid) => words.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')))
    .toSorted((a, b) => memory(b) - memory(a))[0];
  if (found === undefined) throw new Error(`no process ${words}`);
  return found;
}

function memory(pid: number): number {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kib ?? 0) / 1024);
}

/** User and system time, fields 14 and 15. */
function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
