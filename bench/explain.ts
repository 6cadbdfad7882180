/** Latency of an explanation while 10 000 runs wait for a single slot. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { demandOf } from '@dstack/core';
import { openStore, type RunView, type Store } from '@dstack/store';
import type { Installation } from '@dstack/testkit';
import { untilAtRest } from './api.ts';
import { usage } from './at-rest.ts';
import { installation } from './installation.ts';
import { print, summary } from './measure.ts';
import { applyFleet, submit } from './runs.ts';

const RUNS = 10_000;
/** Number of different requirements among the waiting runs. */
const CLASSES = [1, 100];
const QUESTIONS = 300;
const WARM_UP = 20;

export async function explain(): Promise<void> {
  for (const classes of CLASSES) {
    const home = installation({ DSTACK_LOCAL_MAX_INSTANCES: '1' });
    try {
      await home.startServer();
      await applyFleet(home, '0..1');
      await submit(home, 'holder', { commands: ['sleep 3600'] });
      const template = await submit(home, 'template', { commands: ['true'], retry: true });
      await untilWaiting(home, 'template');
      await home.stopServer();
      await fill(home, template, classes);
      await home.startServer();
      await measure(home, classes);
    } finally {
      await home.dispose();
    }
  }
}

async function measure(home: Installation, classes: number): Promise<void> {
  await untilAtRest(home);
  const question = (i: number) => ask(home, `run-${(i * 37) % RUNS}`);
  for (let i = 0; i < WARM_UP; i++) await question(i);
  const samples: number[] = [];
  const before = usage(home.serverPid).cpuMs;
  for (let i = 0; i < QUESTIONS; i++) {
    const asked = performance.now();
    await question(i);
    samples.push(performance.now() - asked);
  }
  // CPU time of the server per request does not depend on other load of the machine.
  const cpu = Number(((usage(home.serverPid).cpuMs - before) / QUESTIONS).toFixed(1));
  const name = `explain a run, ${RUNS} waiting, ${classes} classes of demand`;
  print({ name, unit: 'ms', cpu, ...summary(samples) });
}

async function ask(home: Installation, name: string): Promise<string> {
  const url = new URL(`/api/project/main/explain/runs/${name}`, home.url);
  const headers = { authorization: `Bearer ${home.token()}` };
  const response = await fetch(url, { headers });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
  return text;
}

async function untilWaiting(home: Installation, name: string): Promise<void> {
  while (JSON.parse(await ask(home, name)).waiting_for !== 'busy') await delay(50);
}

async function fill(home: Installation, runId: string, classes: number): Promise<void> {
  const url = `sqlite:///${join(home.serverDir, 'data', 'dstack.db')}`;
  const cipher = { encrypt: (text: string) => text, decrypt: (text: string) => text };
  const logger = { debug() {}, info() {}, warn() {}, error: console.error };
  const now = () => Date.now() * 1000;
  const store = await openStore({ url, now, newId: randomUUID, logger, cipher });
  try {
    const view = await store.runs.byId(runId);
    if (view === null) throw new Error('the template run is missing');
    for (let i = 0; i < RUNS; i += 50) {
      await Promise.all(
        Array.from({ length: 50 }, (_, k) => copyWaiting(store, view, i + k, classes)),
      );
    }
  } finally {
    await store.close();
  }
}

async function copyWaiting(store: Store, { run, jobs }: RunView, num: number, classes: number) {
  const id = randomUUID();
  const name = `run-${num}`;
  const submittedAt = run.submittedAt + num;
  const copy = { ...run, id, name, spec: { ...run.spec, run_name: name }, submittedAt };
  const copies = jobs.map((job) => {
    const { resources } = job.spec.requirements;
    const memory = { ...resources.memory, min: (num % classes) / 1000 };
    const requirements = { ...job.spec.requirements, resources: { ...resources, memory } };
    const spec = { ...job.spec, requirements };
    const demand = demandOf(copy, [spec]);
    const own = { id: randomUUID(), runId: id, name: `${name}-0-0`, queuedAt: submittedAt };
    return { ...job, ...own, spec, demand, submittedAt };
  });
  await store.engine.submitRun({
    projectId: run.projectId,
    name: { exact: name },
    build: () => ({ run: copy, jobs: copies }),
    superseded: () => {
      throw new Error('a copy has the name of another');
    },
  });
}
