/** The HTTP API under load over a filled database: 10 000 runs, 1 000 instances. Loopback only. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { InstanceRecord } from '@dstack/core';
import type { Store } from '@dstack/store';
import { type Installation, postgresBinaries, startPostgres } from '@dstack/testkit';
import { copyRuns, openTestStore } from '@dstack/testkit/many-runs';
import { soak } from './api-soak.ts';
import { usage } from './at-rest.ts';
import { installation } from './installation.ts';
import { print, summary } from './measure.ts';
import { applyFleet, type RunTimes, submit, timedRun } from './runs.ts';
import { residentMb } from './server-start.ts';

const RUNS = 10_000;
const FLEETS = 10;
const INSTANCES_PER_FLEET = 100;

const CONCURRENCY = 8;
const STARTS = 20;
const WARM_UP_MS = 500;
const MEASURE_MS = 3000;
const SPELL_MS = 250;
const QUIET_SPELLS = 4;

const task = { type: 'task', name: 'planned', commands: ['true'], resources: { gpu: 0 } };
/** Name, path, body. */
export type ApiCall = readonly [name: string, path: string, body?: unknown];

const CALLS: readonly ApiCall[] = [
  ['users/get_my_user', '/api/users/get_my_user'],
  ['runs/list, page of 100', '/api/runs/list', { limit: 100 }],
  ['fleets/list, 1 000 instances', '/api/fleets/list', { only_active: true }],
  [
    'runs/get_plan',
    '/api/project/main/runs/get_plan',
    { run_spec: { run_name: 'planned', configuration: task }, max_offers: 50 },
  ],
];

/** `minutes`: run that long on SQLite and measure memory, instead of a few seconds of each call. */
export async function api(minutes?: string): Promise<void> {
  const sqlite = installation();
  const url = `sqlite:///${join(sqlite.serverDir, 'data', 'dstack.db')}`;
  if (minutes !== undefined) {
    await onFilled(sqlite, url, () => soak(sqlite, Number(minutes), CALLS));
    return;
  }
  await onFilled(sqlite, url, () => measure('SQLite', sqlite));
  const binaries = postgresBinaries();
  if (binaries === null) {
    print({ name: 'API on PostgreSQL: not measured, no PostgreSQL here', unit: '', value: null });
    return;
  }
  const cluster = await startPostgres(binaries);
  try {
    const { name, url } = await cluster.createDatabase();
    const postgres = installation({ DSTACK_DATABASE_URL: url });
    await onFilled(postgres, url, async () => {
      // The PostgreSQL clusters of tests do not analyse tables by themselves, unlike production
      // ones.
      await cluster.query('analyze', name);
      await measure('PostgreSQL', postgres);
    });
  } finally {
    await cluster.stop();
  }
}

/** Runs `work` on a server with the filled database, and removes everything afterwards. */
async function onFilled(home: Installation, url: string, work: () => Promise<void>): Promise<void> {
  try {
    await home.startServer();
    await applyFleet(home, '0..1');
    const template = await submit(home, 'template', { commands: ['true'] });
    await untilDone(home);
    await home.stopServer();
    await fill(url, template);
    await home.startServer();
    await work();
  } finally {
    await home.dispose();
  }
}

async function measure(database: string, home: Installation): Promise<void> {
  await untilAtRest(home);
  for (const [name, path, body] of CALLS) {
    await load(home, { path, body, ms: WARM_UP_MS });
    const before = usage(home.serverPid).cpuMs;
    const { samples, seconds } = await load(home, { path, body, ms: MEASURE_MS });
    const perSecond = Math.round(samples.length / seconds);
    // CPU time of the server per request does not depend on other load of the computer.
    const cpu = Number(((usage(home.serverPid).cpuMs - before) / samples.length).toFixed(2));
    print({ name: `API ${name}, ${database}`, unit: 'ms', perSecond, cpu, ...summary(samples) });
  }
  await besideLists(database, home);
  await startOfRuns(database, home);
  const memory = residentMb(home.serverPid);
  print({ name: `API: memory after load, ${database}`, unit: 'MB', value: memory });
}

/** The passes that the server runs at its start are not measured. */
export async function untilAtRest(home: Installation): Promise<void> {
  for (let quiet = 0; quiet < QUIET_SPELLS; ) {
    const before = usage(home.serverPid).cpuMs;
    await delay(SPELL_MS);
    const busy = usage(home.serverPid).cpuMs - before;
    quiet = busy < SPELL_MS / 10 ? quiet + 1 : 0;
  }
}

/** Latency of a small request while all other callers request lists. */
async function besideLists(database: string, home: Installation): Promise<void> {
  const [small, list] = CALLS;
  if (!small || !list) return;
  const [{ samples }] = await Promise.all([
    load(home, { path: small[1], ms: MEASURE_MS, callers: 1 }),
    load(home, { path: list[1], body: list[2], ms: MEASURE_MS }),
  ]);
  const name = `API ${small[0]} while ${CONCURRENCY} callers ask for ${list[0]}, ${database}`;
  print({ name, unit: 'ms', ...summary(samples) });
}

/** The loops must release it before it is copied. */
async function untilDone(home: Installation): Promise<void> {
  const get = () =>
    home.api<{ status: string }>('/api/project/main/runs/get', { run_name: 'template' });
  while ((await get()).status !== 'done') await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Copies of a finished run and of an idle instance, written by the store itself. */
async function fill(url: string, runId: string): Promise<void> {
  const store = await openTestStore(url);
  try {
    await copyRuns(store, runId, RUNS);
    const [instance] = await store.instances.list({ projectIds: null });
    if (instance === undefined) throw new Error('the template instance is missing');
    for (let i = 0; i < FLEETS; i++)
      await copyFleet(store, instance.instance, i, Date.now() * 1000);
  } finally {
    await store.close();
  }
}

async function copyFleet(store: Store, template: InstanceRecord, num: number, now: number) {
  const original = await store.fleets.byId(template.fleetId);
  if (original === null) throw new Error('the template fleet is missing');
  const id = randomUUID();
  const name = `fleet-${num}`;
  const instances = Array.from({ length: INSTANCES_PER_FLEET }, (_, instanceNum) => ({
    ...template,
    id: randomUUID(),
    fleetId: id,
    instanceNum,
    name: `${name}-${instanceNum}`,
    status: 'idle' as const,
    // Their next pass is due after the bench.
    idleSeconds: null,
    nextPassAt: null,
    deleted: false,
  }));
  const { configuration } = original.fleet.spec;
  const nodes = { min: 0, max: INSTANCES_PER_FLEET };
  const spec = { ...original.fleet.spec, configuration: { ...configuration, name, nodes } };
  await store.engine.createFleet({
    projectId: template.projectId,
    name: { exact: name },
    build: () => ({
      fleet: { ...original.fleet, id, name, spec, createdAt: now + num },
      instances,
    }),
  });
}

/** The server's own passes read the same rows as the lists. */
async function startOfRuns(database: string, home: Installation): Promise<void> {
  const times: RunTimes[] = [];
  for (let i = 0; i < STARTS; i++) times.push(await timedRun(home, `timed-${i}`));
  const ms = times.map(({ running, submitted }) => (running - submitted) / 1000);
  print({ name: `submit to running, ${database}`, unit: 'ms', ...summary(ms) });
}

interface Load {
  readonly path: string;
  readonly body?: unknown;
  readonly ms: number;
  readonly callers?: number;
}

/** Callers with one request at a time each; returns ms per request. */
export async function load(home: Installation, { path, body, ms, callers = CONCURRENCY }: Load) {
  const url = new URL(path, home.url);
  const init = {
    method: 'POST',
    headers: { authorization: `Bearer ${home.token()}` },
    body: body === undefined ? null : JSON.stringify(body),
  };
  const samples: number[] = [];
  const started = performance.now();
  const caller = async () => {
    while (performance.now() - started < ms) {
      const sent = performance.now();
      const response = await fetch(url, init);
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      await response.arrayBuffer();
      samples.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return { samples, seconds: (performance.now() - started) / 1000 };
}
