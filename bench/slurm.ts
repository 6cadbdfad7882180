/**
 * Jobs on a real Slurm cluster beside bare batch jobs with the same container: submit → running, a burst
 * of jobs, the delay of a printed line, attaching, and how often the server asks for the queue. As root.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import { copyPrograms } from '@dstack/testkit/program-image';
import { slurmMissing, startSlurm, type TestCluster } from '@dstack/testkit/slurm';
import { usage } from './at-rest.ts';
import { attach, commandsIn } from './commands-in-runs.ts';
import { installation } from './installation.ts';
import { print, summary } from './measure.ts';
import { delaysOfPrintedTimes } from './printed-times.ts';
import { memoryOf } from './process-memory.ts';
import { allRunning, eventTimes, finished, submit } from './runs.ts';
import { residentMb } from './server-start.ts';
import { type SlurmStage, stagesOf } from './slurm-stages.ts';

const IMAGE = 'gnu:1';
const PAIRS = 15;
const BURST = 50;
const LINES = 200;
/** Nodes with more CPUs than the computer has, so that Slurm starts the burst at once. */
const SIZES = '64:64 64:64 64:64';

/** `argument`: the number of jobs of the burst; 0 = only single jobs. */
export async function slurm(argument?: string): Promise<void> {
  const missing = slurmMissing();
  if (missing !== null) {
    print({ name: 'slurm', unit: '-', skipped: `${missing} is missing` });
    return;
  }
  const cluster = await startSlurm({ net: '10.241.0', prefix: 'sb', sizes: SIZES });
  const home = installation({ DSTACK_LOCAL_PROJECTS: 'none', DSTACK_SERVER_SSH_PORT: '22022' });
  try {
    await makeImage(cluster);
    configure(home, cluster);
    await home.startServer();
    await home.api('/api/project/main/fleets/apply', {
      plan: {
        spec: {
          configuration: { type: 'fleet', name: 'hpc', nodes: '0..100', backends: ['slurm'] },
          profile: { name: 'default' },
        },
        current_resource: null,
      },
      force: false,
    });
    await besideBare(home, cluster);
    if (argument === '0') return;
    await queueCalls(home, cluster, 'no job');
    await lineDelays(home);
    await attached(home, cluster);
    await burst(home, cluster, Number(argument ?? BURST));
  } finally {
    await home.dispose();
    await cluster.close();
  }
}

/** GNU's `date` counts in nanoseconds, that of busybox in seconds. */
async function makeImage(cluster: TestCluster): Promise<void> {
  const tree = mkdtempSync(join(tmpdir(), 'bench-image-'));
  try {
    for (const dir of ['bin', 'usr/bin', 'etc', 'root'])
      mkdirSync(join(tree, dir), { recursive: true });
    await copyPrograms(
      tree,
      ['date', 'dash', 'sleep', 'seq', 'env', 'true'].map((it) => `/usr/bin/${it}`),
    );
    for (const name of ['date', 'sleep', 'seq', 'env', 'true']) {
      symlinkSync(`/usr/bin/${name}`, join(tree, 'bin', name));
    }
    symlinkSync('/usr/bin/dash', join(tree, 'bin', 'sh'));
    await cluster.control('image', IMAGE, tree, 'PATH=/usr/bin:/bin');
  } finally {
    rmSync(tree, { recursive: true });
  }
}

function configure(home: Installation, { hostname, user, keyPath }: TestCluster): void {
  const login = `hostname: ${hostname}, user: ${user}, private_key: {path: ${keyPath}}`;
  mkdirSync(home.serverDir, { recursive: true });
  writeFileSync(
    join(home.serverDir, 'config.yml'),
    `projects:\n- name: main\n  backends:\n  - {type: slurm, clusters: [{name: hpc, ${login}, cpu_partitions: [cpu]}]}\n`,
    { mode: 0o600 },
  );
}

const SMALL = { image: IMAGE, resources: { cpu: '1..', memory: '256MB..', disk: null, gpu: 0 } };

const start = (home: Installation, name: string, commands: readonly string[], more = {}) =>
  submit(home, name, { ...SMALL, commands, ...more });

interface Timed {
  /** Milliseconds from the submission. */
  readonly whole: number;
  /** Milliseconds from the start of the batch script, so without Slurm's own part. */
  readonly fromScript: number;
}

/** Milliseconds from the submission. */
interface Staged extends Timed {
  readonly stages: ReadonlyMap<SlurmStage, number>;
}

/** In a container of a bare job: Node as agents are started, without a program. */
const START_NODE =
  'set -- /run/dstack-programs/*/ld-linux* /run/dstack-programs/*/node; $1 --library-path ${1%/*} $2 -e 0';

/** Until the first output of `srun` in a container, after the command. */
async function bareJob(cluster: TestCluster, first = 'true'): Promise<Timed> {
  const programs = '--container-mounts=$HOME/.dstack/programs:/run/dstack-programs:ro';
  const container = `--container-image=${IMAGE} ${programs} --container-remap-root --container-writable --no-container-mount-home`;
  const times = await cluster.login(
    [
      'cd; rm -f bare.out; date +%s%N',
      `script='date +%s%N; srun ${container} sh -c "${first.replaceAll('$', '\\$')}; date +%s%N"'`,
      'job=$(sbatch --parsable -p cpu --mem=256M -o bare.out --wrap "$script")',
      'until [ "$(grep -c "^[0-9]*$" bare.out 2>/dev/null)" = 2 ]; do sleep 0.02; done; cat bare.out',
      'while [ -n "$(squeue -h -j $job -o %T 2>/dev/null)" ]; do sleep 0.1; done',
    ].join('\n'),
  );
  const [from = Number.NaN, script = Number.NaN, to = Number.NaN] = [
    ...times.matchAll(/^\d{19}$/gm),
  ].map(([text]) => Number(text) / 1e6);
  return { whole: to - from, fromScript: to - script };
}

/** Until it is running. */
async function ourJob(home: Installation, cluster: TestCluster, name: string): Promise<Staged> {
  const id = await start(home, name, ['sleep 3600']);
  await running(home, name);
  const times = await stagesOf(cluster, name);
  await home.ok('stop', name, '-y');
  await finished(home, name);
  const at = await eventTimes(home, id);
  const to = at(/^Job status changed .* -> RUNNING/) / 1000;
  const from = at(/^Run submitted/) / 1000;
  const stages = new Map([...times].map(([stage, time]) => [stage, time - from]));
  const script = times.get('batch script') ?? Number.NaN;
  return { whole: to - from, fromScript: to - script, stages };
}

/** In turns, so that both meet the same load of the computer. */
async function besideBare(home: Installation, cluster: TestCluster): Promise<void> {
  const [bare, node]: [Timed[], Timed[]] = [[], []];
  const ours: Staged[] = [];
  for (let i = -1; i < PAIRS; i++) {
    for (const [list, first] of [
      [bare, 'true'],
      [node, START_NODE],
    ] as const) {
      await atAnyMoment();
      // Before the first job of ours, the programs are not there.
      if (i >= 0) list.push(await bareJob(cluster, first));
      await emptyQueue(cluster);
    }
    await atAnyMoment();
    const took = await ourJob(home, cluster, `pair-${i + 1}`);
    await emptyQueue(cluster);
    // The first one copies the agent to the cluster.
    if (i < 0) {
      const name = 'slurm: first job, with the copy of the agent';
      print({ name, unit: 'ms', value: took.whole });
    } else {
      ours.push(took);
    }
  }
  const of = (list: readonly Timed[], part: keyof Timed) => summary(list.map((it) => it[part]));
  print({ name: 'slurm: submit to running', unit: 'ms', ...of(ours, 'whole') });
  print({ name: 'slurm: sbatch and srun of the same container', unit: 'ms', ...of(bare, 'whole') });
  print({ name: 'slurm: batch script to running', unit: 'ms', ...of(ours, 'fromScript') });
  print({ name: 'slurm: batch script to output of srun', unit: 'ms', ...of(bare, 'fromScript') });
  print({ name: 'slurm: batch script to Node in srun', unit: 'ms', ...of(node, 'fromScript') });
  for (const stage of ours[0]?.stages.keys() ?? []) {
    const samples = ours.map(({ stages }) => stages.get(stage) ?? Number.NaN);
    print({ name: `slurm: submit to ${stage}`, unit: 'ms', ...summary(samples) });
  }
}

/** Slurm starts jobs once a second: else those of one kind might always come just before that. */
const atAnyMoment = () => delay(Math.random() * 1000);

async function emptyQueue(cluster: TestCluster): Promise<void> {
  await cluster.login('while [ -n "$(squeue -h -o %i)" ]; do sleep 0.1; done');
}

/** How often users' queues were read, as the controller counts it. */
async function queueReads(cluster: TestCluster): Promise<number> {
  const text = await cluster.control('exec', 'ctl', 'sdiag');
  const counts = [...text.matchAll(/REQUEST_JOB_(?:INFO|USER_INFO|INFO_SINGLE)\s.*?count:(\d+)/g)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

async function queueCalls(home: Installation, cluster: TestCluster, what: string): Promise<void> {
  const before = await queueReads(cluster);
  const { cpuMs } = usage(home.serverPid);
  await delay(60_000);
  const value = (await queueReads(cluster)) - before;
  const cpu = usage(home.serverPid).cpuMs - cpuMs;
  print({ name: `slurm: reads of the queue, ${what}`, unit: '/min', value, cpuMs: cpu });
}

/** Lines printed before the follower connected are not counted. */
async function lineDelays(home: Installation): Promise<void> {
  await start(home, 'ticker', [`for i in $(seq ${LINES}); do date +%s%N; sleep 0.03; done`]);
  await running(home, 'ticker');
  const delays = await delaysOfPrintedTimes(home, 'ticker');
  print({
    name: 'slurm: line printed to visible',
    unit: 'ms',
    ...summary(delays.slice(LINES / 2)),
  });
}

async function attached(home: Installation, cluster: TestCluster): Promise<void> {
  await start(home, 'attached', ['sleep 3600'], { ports: ['8000'] });
  await running(home, 'attached');
  await attach(home, 'slurm', 'attached');
  await commandsIn(home, 'slurm', 'attached');
  await delay(10_000);
  await queueCalls(home, cluster, 'one running job');
  await home.ok('stop', 'attached', '-y');
  await finished(home, 'attached');
}

async function running(home: Installation, name: string): Promise<void> {
  for (;;) {
    const run = await home.api<{ status: string }>('/api/project/main/runs/get', {
      run_name: name,
    });
    if (run.status === 'running') return;
    if (!/submitted|provisioning|pending/.test(run.status))
      throw new Error(`${name} is ${run.status}`);
    await delay(20);
  }
}

async function burst(home: Installation, cluster: TestCluster, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `burst-${index}`);
  const before = await queueReads(cluster);
  const { cpuMs } = usage(home.serverPid);
  const from = performance.now();
  await Promise.all(names.map((name) => start(home, name, ['sleep 3600'])));
  await allRunning(home, names);
  const all = Math.round(performance.now() - from);
  const serverCpu = usage(home.serverPid).cpuMs - cpuMs;
  const reads = (await queueReads(cluster)) - before;
  const ordered = (await lastOrder(cluster)) - (performance.timeOrigin + from);
  print({
    name: `slurm: burst of ${count}, all running`,
    unit: 'ms',
    all,
    serverCpu,
    reads,
    ordered,
  });
  await delay(10_000);
  await queueCalls(home, cluster, `${count} running jobs`);
  print({
    name: `slurm: server with ${count} running jobs, and an agent`,
    unit: 'MB',
    ...{ server: residentMb(home.serverPid), ...agentMemory(count) },
  });
  const stopped = performance.now();
  await home.ok('stop', ...names, '-y');
  await emptyQueue(cluster);
  const value = Math.round(performance.now() - stopped);
  print({ name: `slurm: stop of ${count}, queue empty`, unit: 'ms', value });
  print({
    name: `slurm: burst of ${count}, bare`,
    unit: 'ms',
    all: await bareBurst(cluster, count),
  });
}

/** When the last job of the burst was being submitted, milliseconds since the epoch. */
async function lastOrder(cluster: TestCluster): Promise<number> {
  const output = await cluster.login("stat -c 'born %.9W' ~/.dstack/jobs/dstack-main-burst-*/lock");
  return Math.max(...[...output.matchAll(/^born (\S+)$/gm)].map(([, time]) => Number(time) * 1000));
}

async function bareBurst(cluster: TestCluster, count: number): Promise<number> {
  const times = await cluster.login(
    [
      'cd; rm -f bare.*; date +%s%N',
      `for i in $(seq ${count}); do sbatch --parsable -p cpu --mem=256M -o bare.$i --wrap "srun --container-image=${IMAGE} --container-remap-root --container-writable date +%s%N" >/dev/null; done`,
      `while [ "$(cat bare.* 2>/dev/null | grep -c '^[0-9]*$')" -lt ${count} ]; do sleep 0.1; done`,
      'cat bare.*',
    ].join('\n'),
  );
  const [from = 0, ...ends] = [...times.matchAll(/^\d{19}$/gm)].map(([text]) => Number(text) / 1e6);
  return Math.round(Math.max(...ends) - from);
}

/** Proportional memory of the processes that serve one job. */
function agentMemory(jobs: number) {
  const memory = (part: RegExp) =>
    Math.round(memoryOf((commandLine) => part.test(commandLine)) / jobs);
  return {
    agent: memory(/^\/run\/dstack-programs\/.*main\.js.*--job-container/),
    supervisor: memory(/^\/run\/dstack-programs\/.*supervisor\.js/),
  };
}
