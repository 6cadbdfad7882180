/**
 * Jobs in a real Kubernetes cluster beside bare pods of the same image: submit to running, a burst, the
 * delay of a line, attaching, shells, and memory. `kubernetes:N` is a burst of N pods.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import {
  kubernetesMissing,
  startKubernetes,
  type TestKubernetes,
} from '@dstack/testkit/kubernetes';
import { type ApiProxy, startApiProxy } from '@dstack/testkit/kubernetes-proxy';
import { usage } from './at-rest.ts';
import { attach, commandsIn } from './commands-in-runs.ts';
import { installation, root } from './installation.ts';
import { BarePods } from './kubernetes-pods.ts';
import { AGENT, IMAGE, JOB, stop, untilRunning } from './kubernetes-runs.ts';
import { type AgentWay, singles } from './kubernetes-singles.ts';
import { print, summary } from './measure.ts';
import { delaysOfPrintedTimes } from './printed-times.ts';
import { memoryOf } from './process-memory.ts';
import { allRunning, submit } from './runs.ts';
import { residentMb } from './server-start.ts';

/** Programs that the jobs of the bench need, and those for a copy of the agent. */
const PROGRAMS = [
  ...['sh', 'sleep', 'date', 'seq', 'true', 'mkfifo'],
  ...['tar', 'gzip', 'head', 'mkdir', 'mv', 'rm', 'cp', 'chmod'],
];
const BURST = 50;
const WATCHED = 500;
const LINES = 200;

export async function kubernetes(argument = String(BURST)): Promise<void> {
  const missing = kubernetesMissing();
  if (missing !== null) {
    print({ name: 'kubernetes', unit: '-', skipped: `${missing} is missing` });
    return;
  }
  const nodes = { nodes: 5, sizes: '32:256' };
  const cluster = await startKubernetes({ prefix: 'tb', network: 235, ...nodes });
  const { kubeconfig, context } = cluster;
  const api = await startApiProxy({ kubeconfig, context });
  try {
    await prepare(cluster);
    for (const way of ['copy', 'image', 'claim'] as const) {
      await measured(way, cluster, api, way === 'claim' ? Number(argument) : 0);
    }
  } finally {
    await api[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
  }
}

async function prepare(cluster: TestKubernetes): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-image-'));
  const home = installation();
  try {
    for (const program of PROGRAMS) addProgram(dir, program);
    // The one of Debian is a script of another shell.
    await writeFile(join(dir, 'bin/gunzip'), '#!/bin/sh\nexec gzip -d "$@"\n', { mode: 0o755 });
    mkdirSync(join(dir, 'tmp'));
    await cluster.image(IMAGE, dir, {});
    const tar = join(dir, 'agent.tar');
    await home.ok('server', 'agent-image', tar, '--name', AGENT);
    await cluster.load(tar);
    const manifest = join(root, 'deploy/kubernetes/agent-on-nodes.yaml');
    const text = readFileSync(manifest, 'utf8').replaceAll(
      /namespace: dstack\b(?!-)/g,
      'namespace: default',
    );
    await writeFile(join(dir, 'nodes.yaml'), text);
    await cluster.kubectl('apply', '-f', join(dir, 'nodes.yaml'));
    const rollout = ['rollout', 'status', 'daemonset/dstack-agent', '--timeout=300s'];
    await cluster.kubectl('-n', 'dstack-agent', ...rollout);
  } finally {
    await home.dispose();
    rmSync(dir, { recursive: true });
  }
}

/** A program of this computer, with its libraries. */
function addProgram(dir: string, name: string): void {
  const path = execFileSync('sh', ['-c', `command -v ${name} | grep / || echo /bin/${name}`]);
  const program = path.toString().trim();
  const libraries = execFileSync('ldd', [program])
    .toString()
    .matchAll(/(\/\S+) \(0x/g);
  for (const file of [program, ...[...libraries].map(([, library = '']) => library)]) {
    const place = file === program ? join(dir, 'bin', name) : join(dir, file);
    mkdirSync(dirname(place), { recursive: true });
    copyFileSync(file, place);
  }
}

async function measured(
  way: AgentWay,
  cluster: TestKubernetes,
  api: ApiProxy,
  burst: number,
): Promise<void> {
  const home = installation({
    DSTACK_SERVER_SSH_PORT: '42223',
    ...(way === 'copy' ? {} : { DSTACK_KUBERNETES_AGENT_IMAGE: AGENT }),
    ...(way === 'claim' ? { DSTACK_KUBERNETES_AGENT_CLAIM: 'dstack-agent' } : {}),
  });
  const pods = new BarePods(api, IMAGE);
  try {
    mkdirSync(home.serverDir, { recursive: true });
    const backend = `{type: kubernetes, kubeconfig: {filename: ${cluster.kubeconfig}}}`;
    const config = `projects: [{name: main, backends: [${backend}]}]\n`;
    await writeFile(join(home.serverDir, 'config.yml'), config);
    await home.startServer();
    await home.api('/api/project/main/fleets/apply', {
      plan: {
        spec: {
          configuration: { type: 'fleet', name: 'pods', nodes: '0..200', backends: ['kubernetes'] },
          profile: { name: 'default' },
        },
        current_resource: null,
      },
      force: false,
    });
    await singles(way, home, pods, api);
    if (burst === 0) return;
    await lines(home);
    await shells(home);
    await bursts(home, pods, burst);
    await watched(home, pods);
  } finally {
    await home.dispose();
    await pods.delete();
    await pods.untilNone();
  }
}

async function lines(home: Installation): Promise<void> {
  const ticker = [`for i in $(seq ${LINES}); do date +%s%N; sleep 0.02; done`];
  await submit(home, 'ticker', { commands: ticker, ...JOB });
  const delays = await delaysOfPrintedTimes(home, 'ticker');
  const late = delays.slice(LINES / 2);
  print({ name: 'kubernetes: line printed to visible', unit: 'ms', ...summary(late) });
}

async function shells(home: Installation): Promise<void> {
  const configuration = { commands: ['sleep 1000'], ports: ['8000'], ...JOB };
  const id = await submit(home, 'shells', configuration);
  await untilRunning(home, 'shells', id);
  await attach(home, 'kubernetes', 'shells');
  await commandsIn(home, 'kubernetes', 'shells');
  print({ name: 'kubernetes: agent and supervisor in a pod', unit: 'MB', ...agentMemory() });
  await stop(home, ['shells']);
}

/** Proportional memory of the processes that serve the one job in a pod. */
function agentMemory() {
  const memory = (part: RegExp) => memoryOf((commandLine) => part.test(commandLine));
  return {
    agent: memory(/^\/dstack-agent\/lib\/ld\.so.*main\.js.*--job-container/),
    supervisor: memory(/^\/dstack-agent\/lib\/ld\.so.*supervisor\.js/),
  };
}

async function bursts(home: Installation, pods: BarePods, size: number): Promise<void> {
  const numbers = Array.from({ length: size }, (_, i) => i);
  const bare = await pods.burst(numbers.map((i) => `burst-bare-${i}`));
  await pods.untilNone();
  const start = performance.now();
  const names = numbers.map((i) => `burst-${i}`);
  const before = usage(home.serverPid).cpuMs;
  await Promise.all(names.map((name) => submit(home, name, { commands: ['sleep 1000'], ...JOB })));
  await allRunning(home, names);
  const all = Math.round(performance.now() - start);
  const serverCpu = usage(home.serverPid).cpuMs - before;
  print({ name: `kubernetes: burst of ${size}, bare pods`, unit: 'ms', all: Math.round(bare) });
  print({ name: `kubernetes: burst of ${size}, submit to running`, unit: 'ms', all, serverCpu });
  await stop(home, names);
  await pods.untilNone();
}

/** With the labels of the server, so that it keeps all of each. */
async function watched(home: Installation, pods: BarePods): Promise<void> {
  const id = await submit(home, 'label', { commands: ['sleep 1000'], ...JOB });
  await untilRunning(home, 'label', id);
  const [name = ''] = await pods.names();
  const labels = await pods.labels(name);
  await delay(5000);
  const before = residentMb(home.serverPid);
  for (let i = 0; i < WATCHED; i++) await pods.create({ name: `w-${i}`, labels, isGated: true });
  await delay(5000);
  const after = residentMb(home.serverPid);
  print({ name: `kubernetes: server with ${WATCHED} pods watched`, unit: 'MB', before, after });
}
