import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { jobProgram } from '@dstack/testkit/job-programs';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { applyFleet, configuration, newInstallation } from './installation.ts';
import { callTool } from './mcp-call.ts';
import { connectionsOf, listens } from './process-sockets.ts';
import { keptLoad } from './request-load.ts';
import { until } from './until.ts';

const app = jobProgram(join(import.meta.dirname, 'service-app.ts'));

let home: Installation;
beforeAll(async () => {
  home = newInstallation({ DSTACK_SERVER_PROXY_WORKERS: '2' });
  await home.startServer();
  await applyFleet(home, '0..2');
  const yaml = `type: service\nname: web\nport: 8000\nmodel: parrot\nreplicas: 2\nprobes: []\nresources: {gpu: 0}\ncommands: ['exec ${app}']\n`;
  await home.ok('apply', '-f', configuration(home, 'web.dstack.yml', yaml), '-y', '-d');
  const status = async () => {
    const answer = await get('/kilobyte');
    await answer.text();
    return answer.status;
  };
  await until(async () => (await status()) === 200);
  await workersAre((pids) => pids.length === 2 && !listens(home.serverPid, port()));
  // The last one over each kept connection to the server, which closes it then.
  for (let connections = 0; connections < 8; connections++) await status();
});
afterAll(() => home?.dispose());

const service = () => `${home.url}/proxy/services/main/web`;
const headers = () => ({ authorization: `Bearer ${home.token()}` });
const get = (path: string) => fetch(service() + path, { headers: headers() });

function workerPids(): number[] {
  const dir = join(home.serverDir, 'proxy');
  try {
    const names = readdirSync(dir).filter((name) => name.endsWith('.json'));
    return names.map((name) => JSON.parse(readFileSync(join(dir, name), 'utf8')).pid);
  } catch {
    return [];
  }
}

const port = () => Number(new URL(home.url).port);

/** The service answers a request. */
async function untilAnswered(): Promise<void> {
  await until(async () => (await get('/kilobyte').catch(() => null))?.status === 200);
}

async function workersAre(are: (pids: readonly number[]) => boolean): Promise<void> {
  await until(async () => are(workerPids()));
}

/** How many of 64 new connections each worker gets. */
async function sharesOf64(): Promise<number[]> {
  const counts = () => workerPids().map((pid) => connectionsOf(pid, port()));
  const before = counts();
  const sockets = Array.from({ length: 64 }, () => connect(port(), '127.0.0.1'));
  await until(async () => {
    const now = counts();
    return now.reduce((sum, count, n) => sum + count - (before[n] ?? 0), 0) >= 64;
  });
  const shares = counts().map((count, n) => count - (before[n] ?? 0));
  for (const socket of sockets) socket.destroy();
  return shares;
}

const chat = () =>
  fetch(`${home.url}/proxy/models/main/v1/chat/completions`, {
    method: 'POST',
    headers: headers(),
    body: JSON.stringify({ model: 'parrot', messages: [{ role: 'user', content: 'hello' }] }),
  });

it('agents reach the API of a server whose workers have its address', async () => {
  expect(await callTool(home, 'list_fleets')).toContain('"default"');
});

it('streams, WebSockets and new requests continue while the server is replaced', async () => {
  const before = workerPids();
  const answer = await get('/ticks');
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let seen = '';
  const readOn = async () => {
    const length = seen.length;
    while (seen.length < length + 30) seen += (await reader?.read())?.value;
  };
  const socket = new WebSocket(`${service().replace('http', 'ws')}/`, { headers: headers() });
  await once(socket, 'open');
  const echo = async (word: string) => {
    socket.send(word);
    return String((await once(socket, 'message'))[0]);
  };
  await readOn();
  expect(await (await chat()).json()).toMatchObject({ choices: [{}] });
  // Clients open connections in advance, and may never use them.
  const unused = connect(Number(new URL(home.url).port), '127.0.0.1');
  await once(unused, 'connect');

  expect(await home.stopServer('SIGTERM')).toBe(0);
  expect(workerPids()).toEqual(before);
  await readOn();
  expect(await echo('alone')).toBe('alone');
  expect((await get('/kilobyte')).status).toBe(200);
  const api = await fetch(`${home.url}/api/server/get_info`, { method: 'POST' });
  expect([api.status, api.headers.get('retry-after'), await api.json()]).toEqual([
    ...[503, '1'],
    { detail: 'The server is being restarted: try again in a moment', code: 'server_away' },
  ]);
  // A model is used, which is counted later.
  expect((await chat()).status).toBe(200);
  const stranger = await fetch(`${service()}/`, { headers: { authorization: 'Bearer stranger' } });
  expect(stranger.status).toBe(503);

  // Workers of other settings are replaced, like those of another version.
  home.env.DSTACK_SERVICE_CLIENT_TIMEOUT = '299';
  await home.startServer();
  await readOn();
  expect(await echo('together')).toBe('together');
  expect((await get('/kilobyte')).status).toBe(200);
  expect((await fetch(`${service()}/`, { headers: { authorization: 'Bearer no' } })).status).toBe(
    403,
  );
  // The workers report what they have kept once the server has found them.
  await vi.waitFor(
    async () => {
      const { usage } = JSON.parse(await home.ok('usage', '--json'));
      expect(usage).toMatchObject([{ model: 'parrot', requests: 2 }]);
    },
    { timeout: 40_000, interval: 200 },
  );
  const ticks = [...seen.matchAll(/data: (\d+)\n\n/g)].map((match) => Number(match[1]));
  expect(ticks).toEqual(ticks.map((_, n) => n));
  socket.close();
  await reader?.cancel();
  await workersAre((pids) => pids.length === 2 && !pids.some((pid) => before.includes(pid)));
  unused.destroy();
}, 60_000);

it('no request to a service fails when the server is killed and started again', async () => {
  const { answered, stop } = keptLoad(`${service()}/kilobyte`, headers(), 16);
  await answered(200);
  await home.stopServer('SIGKILL');
  await answered(500);
  await home.startServer();
  await answered(500);
  expect(Object.keys(await stop())).toEqual(['200']);
});

it('only requests of a killed worker fail, and it is started again', async () => {
  const [killed = 0] = workerPids();
  const { answered, stop } = keptLoad(`${service()}/kilobyte`, headers(), 16);
  await answered(200);
  process.kill(killed, 'SIGKILL');
  await workersAre((pids) => pids.length === 2 && !pids.includes(killed));
  await answered(500);
  const { 200: ok, ...failed } = await stop();
  expect(ok).toBeGreaterThan(700);
  // At most one for each of the connections.
  expect(Object.values(failed).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(16);
  const [one = 0, other = 0] = workerPids();
  process.kill(one, 'SIGKILL');
  process.kill(other, 'SIGKILL');
  await workersAre((pids) => pids.length === 2 && !pids.includes(one) && !pids.includes(other));
  await untilAnswered();
  // Within 60 to 40, also after all that, once both have started.
  await until(async () => Math.min(...(await sharesOf64())) >= 26);
});

/** Processes that have been started as workers, recorded or not. */
function startedWorkers(): number[] {
  const dir = join(home.serverDir, 'proxy');
  const workers = new Map<string, number>();
  for (const name of readdirSync('/proc')) {
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      const id = words[words.indexOf('--id') + 1] ?? '';
      // Until a new process runs its program, it has the command line of the worker that made it.
      if (words.includes('--id') && words.includes(dir)) workers.set(id, Number(name));
    } catch {
      // Not a process, or one that has ended.
    }
  }
  return [...workers.values()];
}

it('Ctrl-C ends the workers after their requests', async () => {
  const pids = workerPids();
  expect(pids).toHaveLength(2);
  const events = (await get('/events')).text();
  expect(await home.stopServer()).toBe(0);
  expect(await events).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\n');
  expect(workerPids()).toEqual([]);
  expect(home.processes().filter((pid) => pids.includes(pid))).toEqual([]);
});

it('a server that is killed while it starts its workers is followed by another one', async () => {
  await home.startServer();
  while (startedWorkers().length < 2) await new Promise((resolve) => setImmediate(resolve));
  const started = startedWorkers();
  // They hold the address of the server, and will never answer.
  for (const pid of started) process.kill(pid, 'SIGSTOP');
  await home.stopServer('SIGKILL');
  await home.startServer();
  await workersAre((pids) => pids.length === 2 && !pids.some((pid) => started.includes(pid)));
  await untilAnswered();
  expect(await home.stopServer()).toBe(0);
});
