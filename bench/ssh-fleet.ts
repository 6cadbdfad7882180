/** SSH hosts: the life of runs on two of them, and on one with a long network delay. */
import { once } from 'node:events';
import type { Installation } from '@dstack/testkit';
import { hostsMissing, startHosts, type TestHosts } from '@dstack/testkit/hosts';
import { atDistance } from './distance.ts';
import { installation } from './installation.ts';
import { print, summary } from './measure.ts';
import { delaysOfPrintedTimes } from './printed-times.ts';
import { applySshFleet, eventTimes, finished, type RunTimes, submit, timedRun } from './runs.ts';

const IMAGE = 'bench:busybox';
const RUNS = 20;
const ROUND_TRIPS_MS = [0, 20, 200];
const SLOTS = 4;
const LINES = 200;

/** Resources of the runs: the default bounds are larger than these hosts. */
const onHosts = (fleet: string) => ({
  image: IMAGE,
  fleets: [fleet],
  resources: { cpu: '1..', memory: '0.5GB..', disk: '1GB..', gpu: 0 },
});

export async function sshFleet(): Promise<void> {
  const missing = hostsMissing();
  if (missing !== null) {
    print({ name: 'ssh fleet', unit: '-', skipped: `${missing} is missing` });
    return;
  }
  const machines = await startHosts({ count: 2 });
  const home = installation({
    DSTACK_LOCAL_PROJECTS: 'none',
    // Distant hosts are reached through a slow line on loopback.
    DSTACK_SERVER_OUTGOING_ALLOW: 'loopback',
  });
  try {
    await machines.busybox(IMAGE);
    await home.startServer();
    await nearby(home, machines);
    await distant(home, machines);
  } finally {
    await home.dispose();
    machines.close();
  }
}

async function nearby(home: Installation, machines: TestHosts): Promise<void> {
  const addresses = machines.hosts.map(({ address }) => ({ hostname: address }));
  await applySshFleet(home, 'near', machines.privateKey, addresses, 2);
  const how = onHosts('near');
  await timedRun(home, 'warm-up', how);
  await bareRuns(machines);
  const times: RunTimes[] = [];
  for (let i = 0; i < RUNS; i++) times.push(await timedRun(home, `near-${i}`, how));
  report('2 hosts', times);
  // Docker reports the start of a container that exits at once only late.
  const staying = { ...how, commands: ['sleep 0.3'] };
  const starts: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const { running, submitted } = await timedRun(home, `stays-${i}`, staying);
    starts.push((running - submitted) / 1000);
  }
  print({
    name: '2 hosts: submit to running, of a job that stays',
    unit: 'ms',
    ...summary(starts),
  });
  const firsts: number[] = [];
  for (let i = 0; i < RUNS; i++) firsts.push(await firstOutput(home, `first-${i}`, how));
  print({ name: '2 hosts: submit to first output readable', unit: 'ms', ...summary(firsts) });
  const stops: number[] = [];
  for (let i = 0; i < RUNS; i++) stops.push(await stopTime(home, `stop-${i}`, how));
  print({ name: '2 hosts: stop to terminated', unit: 'ms', ...summary(stops) });
  print({
    name: `2 hosts: 12 runs of echo over ${SLOTS} slots, until all are done`,
    unit: 'ms',
    total: Math.round(await dozen(home, how)),
  });
  await lineToTerminal(home, how);
  await home.ok('fleet', 'delete', 'near', '-y');
  await untilNoFleet(home, 'near');
}

async function distant(home: Installation, machines: TestHosts): Promise<void> {
  const host = machines.hosts[0];
  if (!host) throw new Error('no host');
  for (const ms of ROUND_TRIPS_MS) {
    const line = await atDistance({ host: host.address, port: 22 }, ms);
    const fleet = `far-${ms}`;
    const start = performance.now();
    const where = [{ hostname: '127.0.0.1', port: line.port }];
    await applySshFleet(home, fleet, machines.privateKey, where, 1);
    const name = `host at ${ms} ms`;
    print({
      name: `${name}: added to idle`,
      unit: 'ms',
      total: Math.round(performance.now() - start),
    });
    const how = onHosts(fleet);
    await timedRun(home, `warm-up-${ms}`, how);
    const times: RunTimes[] = [];
    for (let i = 0; i < RUNS / 2; i++) times.push(await timedRun(home, `far-${ms}-${i}`, how));
    report(name, times);
    print({ name: `${name}: attach`, unit: 'ms', ...summary(await attachTimes(home, fleet)) });
    await home.ok('fleet', 'delete', fleet, '-y');
    await untilNoFleet(home, fleet);
    line.close();
  }
}

/** The floor: the time that the host's own Docker needs for a container. */
async function bareRuns(machines: TestHosts): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const docker = machines.hosts[i % machines.hosts.length]?.docker;
    if (!docker) break;
    const start = performance.now();
    const container = await docker.createContainer({ Image: IMAGE, Cmd: ['true'], Tty: true });
    await container.start();
    times.push(performance.now() - start);
    await container.wait();
    await container.remove();
  }
  print({ name: '2 hosts: create and start a container, bare', unit: 'ms', ...summary(times) });
}

function report(where: string, times: readonly RunTimes[]): void {
  const ms = (pick: (t: RunTimes) => number) => summary(times.map((t) => pick(t) / 1000));
  print({ name: `${where}: submit to running`, unit: 'ms', ...ms((t) => t.running - t.submitted) });
  print({ name: `${where}: submit to done`, unit: 'ms', ...ms((t) => t.done - t.submitted) });
  print({ name: `${where}: exit to done`, unit: 'ms', ...ms((t) => t.done - t.exited) });
}

async function firstOutput(home: Installation, name: string, how: object): Promise<number> {
  const start = performance.now();
  await submit(home, name, { commands: ['echo hi'], ...how });
  await hasPrinted(home, name, 'hi');
  const elapsed = performance.now() - start;
  await finished(home, name);
  return elapsed;
}

/** Resolves when the job has printed this word; the shell prints its greeting before. */
async function hasPrinted(home: Installation, name: string, word: string): Promise<void> {
  const run = await home.api<{ jobs: { job_submissions: { id: string }[] }[] }>(
    '/api/project/main/runs/get',
    { run_name: name },
  );
  const url = new URL('/api/project/main/logs/stream', home.url);
  url.searchParams.set('run_name', name);
  url.searchParams.set('job_submission_id', run.jobs[0]?.job_submissions[0]?.id ?? '');
  const response = await fetch(url, { headers: { authorization: `Bearer ${home.token()}` } });
  const decoder = new TextDecoder();
  let events = '';
  for await (const chunk of response.body ?? []) {
    events += decoder.decode(chunk, { stream: true });
    const text = [...events.matchAll(/^data: (\S+)$/gm)]
      .map(([, data = '']) => Buffer.from(data, 'base64').toString())
      .join('');
    if (!text.split(/\s+/).includes(word)) continue;
    await response.body?.cancel().catch(() => {});
    return;
  }
  throw new Error(`${name} ended without a word`);
}

async function stopTime(home: Installation, name: string, how: object): Promise<number> {
  const commands = ['echo ready', 'sleep 1000'];
  const id = await submit(home, name, { commands, ...how });
  // Before that no process would receive Ctrl-C.
  await hasPrinted(home, name, 'ready');
  await home.api('/api/project/main/runs/stop', { runs_names: [name], abort: false });
  await finished(home, name);
  const at = await eventTimes(home, id);
  return (
    (at(/^Run status changed .* -> TERMINATED/) - at(/^Run status changed .* -> TERMINATING/)) /
    1000
  );
}

async function dozen(home: Installation, how: object): Promise<number> {
  const start = performance.now();
  const names = Array.from({ length: 12 }, (_, i) => `echo-${i}`);
  await Promise.all(
    names.map((name) => submit(home, name, { commands: ['echo hi'], retry: true, ...how })),
  );
  await Promise.all(names.map((name) => finished(home, name)));
  return performance.now() - start;
}

/** The job prints the time of the local clock; that of busybox has no fractions. */
async function lineToTerminal(home: Installation, how: object): Promise<void> {
  const volumes = ['/usr', '/lib', '/lib64'].map((path) => `${path}:${path}`);
  const commands = [`for i in $(seq ${LINES}); do /usr/bin/date +%s%N; sleep 0.02; done`];
  await submit(home, 'ticker', { commands, volumes, ...how });
  const delays = await delaysOfPrintedTimes(home, 'ticker');
  // Lines printed before the follower connected are not counted.
  print({
    name: '2 hosts: line printed to visible',
    unit: 'ms',
    ...summary(delays.slice(LINES / 2)),
  });
}

/** From the command to the moment at which ports are forwarded and the run accepts commands. */
async function attachTimes(home: Installation, fleet: string): Promise<number[]> {
  const name = `attached-${fleet}`;
  await submit(home, name, { commands: ['sleep 1000'], ...onHosts(fleet) });
  await until(home, name, 'running');
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    const attach = home.spawn(['attach', name]);
    await new Promise<void>((resolve, reject) => {
      let output = '';
      const onData = (data: Buffer) => {
        output += data;
        if (output.includes('Press Ctrl+C')) resolve();
      };
      attach.stdout?.on('data', onData);
      attach.stderr?.on('data', onData);
      attach.once('exit', (code) => reject(new Error(`attach ended with ${code}: ${output}`)));
    });
    times.push(performance.now() - start);
    attach.removeAllListeners('exit');
    attach.kill('SIGINT');
    await once(attach, 'close');
  }
  await home.api('/api/project/main/runs/stop', { runs_names: [name], abort: true });
  await finished(home, name);
  return times;
}

async function until(home: Installation, name: string, status: string): Promise<void> {
  for (;;) {
    const run = await home.api<{ status: string }>('/api/project/main/runs/get', {
      run_name: name,
    });
    if (run.status === status) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function untilNoFleet(home: Installation, name: string): Promise<void> {
  for (;;) {
    const fleets = await home.api<{ name: string }[]>('/api/project/main/fleets/list', {});
    if (fleets.every((fleet) => fleet.name !== name)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
