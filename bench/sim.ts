/**
 * How long a server takes to bring a fleet of simulated instances into service, from `apply` to the
 * last one idle, and with how many SQL statements. The provider answers at once, and its agents are
 * scripts in the process of the server: what remains is the server's own work. The floor is what no
 * server could avoid: a stream to each agent, and a durable write for each instance.
 */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import { WebSocket, WebSocketServer } from 'ws';
import { usage } from './at-rest.ts';
import { installation } from './installation.ts';
import { print } from './measure.ts';
import { applyFleet } from './runs.ts';
import { residentMb } from './server-start.ts';

const INSTANCES = '1000';
/** The most that one fleet creates at once. */
const FLEET_SIZE = 500;
/** Between two looks: to list a thousand instances is work for the server as well. */
const LOOK_MS = 1000;
/** Statements that follow the last idle instance belong to it as well. */
const SETTLE_MS = 2000;
const AT_A_TIME = 100;

/** `argument`: how many instances. */
export async function sim(argument = INSTANCES): Promise<void> {
  const count = Number(argument);
  const name = `${count} simulated instances`;
  await timed(name, count);
  await counted(name, count);
  print({ name: `${name}, floor`, unit: 'ms', all: await floor(count) });
}

async function timed(name: string, count: number): Promise<void> {
  const home = await startCloud({});
  try {
    const before = usage(home.serverPid);
    const start = performance.now();
    await applyFleets(home, count);
    const applied = Math.round(performance.now() - start);
    await untilIdle(home, count);
    const all = Math.round(performance.now() - start);
    const cpu = usage(home.serverPid).cpuMs - before.cpuMs;
    print({ name: `${name}: apply → all idle`, unit: 'ms', applied, all, cpu });
    print({ name: `${name}: memory`, unit: 'MB', value: residentMb(home.serverPid) });
    await rest(home, name);
  } finally {
    await home.dispose();
  }
}

async function rest(home: Installation, name: string): Promise<void> {
  const before = usage(home.serverPid);
  const seconds = 10;
  await delay(seconds * 1000);
  const { cpuMs } = usage(home.serverPid);
  print({ name: `${name}: at rest`, unit: 'CPU ms/s', value: (cpuMs - before.cpuMs) / seconds });
}

/** In a run of its own, because the log of all statements takes time. */
async function counted(name: string, count: number): Promise<void> {
  const home = await startCloud({ DSTACK_SQL_ECHO_ENABLED: '1', DSTACK_SERVER_LOG_LEVEL: 'info' });
  let statements = 0;
  let commits = 0;
  try {
    home.onServerLine = (line) => {
      if (!line.includes('"msg":"statement"')) return;
      statements++;
      if (line.includes('"sql":"commit"')) commits++;
    };
    await applyFleets(home, count);
    await untilIdle(home, count);
    await delay(SETTLE_MS);
    const each = (sum: number) => Math.round((sum / count) * 10) / 10;
    print({
      name: `${name}: SQL`,
      unit: 'per instance',
      statements: each(statements),
      commits: each(commits),
    });
  } finally {
    await home.dispose();
  }
}

export async function startCloud(env: NodeJS.ProcessEnv): Promise<Installation> {
  const home = installation({ DSTACK_SIM: '1', DSTACK_LOCAL_PROJECTS: 'none', ...env });
  const backends = '[{type: sim, as: aws, agent: scripted}]';
  mkdirSync(home.serverDir, { recursive: true });
  writeFileSync(
    join(home.serverDir, 'config.yml'),
    `projects: [{name: main, backends: ${backends}}]\n`,
  );
  await home.startServer();
  return home;
}

async function applyFleets(home: Installation, count: number): Promise<void> {
  for (let i = 0; i * FLEET_SIZE < count; i++) {
    const nodes = Math.min(FLEET_SIZE, count - i * FLEET_SIZE);
    await applyFleet(home, String(nodes), `pool-${i}`);
  }
}

export async function untilIdle(home: Installation, count: number): Promise<void> {
  for (;;) {
    const fleets = await home.api<{ instances: { status: string }[] }[]>(
      '/api/project/main/fleets/list',
      {},
    );
    const instances = fleets.flatMap((fleet) => fleet.instances);
    if (instances.filter(({ status }) => status === 'idle').length === count) return;
    await delay(LOOK_MS);
  }
}

async function floor(count: number): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'floor-'));
  const http = createServer();
  const streams = new WebSocketServer({ server: http, perMessageDeflate: false });
  streams.on('connection', (socket) => socket.send('{"type":"hello"}'));
  const path = join(dir, 'sock');
  http.listen(path);
  await once(http, 'listening');
  const db = new DatabaseSync(join(dir, 'db'));
  db.exec('pragma journal_mode = wal; pragma synchronous = full; create table t (id, text)');
  const insert = db.prepare('insert into t values (?, ?)');
  const start = performance.now();
  const sockets: WebSocket[] = [];
  const open = async (i: number) => {
    const socket = new WebSocket('ws://agent/', {
      createConnection: (() => connect(path)) as never,
    });
    await once(socket, 'message');
    insert.run(i, 'idle');
    sockets.push(socket);
  };
  // A unix socket refuses more than some hundred connections that its server has not accepted yet.
  for (let from = 0; from < count; from += AT_A_TIME) {
    const some = Array.from({ length: Math.min(AT_A_TIME, count - from) }, (_, i) =>
      open(from + i),
    );
    await Promise.all(some);
  }
  const all = Math.round(performance.now() - start);
  for (const socket of sockets) socket.terminate();
  streams.close();
  http.close();
  db.close();
  rmSync(dir, { recursive: true });
  return all;
}
