/** The server's own services through nginx, which has the address of the server. */
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { jobProgram } from '@dstack/testkit/job-programs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { applyFleet, configuration, newInstallation } from './installation.ts';
import { callTool } from './mcp-call.ts';
import { listens } from './process-sockets.ts';
import { keptLoad } from './request-load.ts';
import { serviceFigures } from './service-figures.ts';
import { until } from './until.ts';

const app = jobProgram(join(import.meta.dirname, 'service-app.ts'));

let home: Installation;
beforeAll(async () => {
  home = newInstallation({ DSTACK_SERVER_PROXY_WORKERS: '2', DSTACK_SERVER_PROXY: 'nginx' });
  await home.startServer();
  await applyFleet(home, '0..3');
  for (const [name, replicas] of [
    ['web', 2],
    ['counted', 1],
  ] as const) {
    const yaml = `type: service\nname: ${name}\nport: 8000\nreplicas: ${replicas}\nprobes: []\nresources: {gpu: 0}\ncommands: ['exec ${app}']\n`;
    await home.ok('apply', '-f', configuration(home, `${name}.dstack.yml`, yaml), '-y', '-d');
  }
  await untilAnswered();
  await untilAnswered('counted');
  await untilWorkers();
});
afterAll(async () => {
  const left = nginxPids();
  await home?.dispose();
  // Its workers show neither their folder nor their environment, so that nothing else ends those of a killed one.
  for (const pid of left) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
});

const service = (name = 'web') => `${home.url}/proxy/services/main/${name}`;
const headers = (token = home.token()) => ({ authorization: `Bearer ${token}` });
const get = (path: string, token?: string) => fetch(service() + path, { headers: headers(token) });
const port = () => Number(new URL(home.url).port);

function workerPids(): number[] {
  const dir = join(home.serverDir, 'proxy');
  const names = readdirSync(dir).filter((name) => name.endsWith('.json'));
  return names.flatMap((name) => {
    try {
      return [JSON.parse(readFileSync(join(dir, name), 'utf8')).pid];
    } catch (error) {
      // The server has found meanwhile that its worker has ended, and removed what it knew of it.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  });
}

/** Those of nginx that have the address of the server. */
function nginxPids(): number[] {
  const isNginx = (pid: string) => {
    try {
      const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
      return name === 'nginx' && listens(Number(pid), port());
    } catch {
      // It has ended.
      return false;
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isNginx(name))
    .map(Number);
}

function masterPid(): number {
  const run = join(home.home, 'run');
  // The agent has a folder of its own there.
  const path = readdirSync(run)
    .map((name) => join(run, name, 'nginx', 'nginx.pid'))
    .find((file) => existsSync(file));
  return Number(readFileSync(path ?? 'nginx.pid', 'utf8'));
}

async function untilAnswered(name = 'web'): Promise<void> {
  const ask = () => fetch(`${service(name)}/kilobyte`, { headers: headers() }).catch(() => null);
  await until(async () => (await ask())?.status === 200);
}

async function untilWorkers(): Promise<void> {
  await until(async () => workerPids().length === 2);
}

/** Whether nginx answers by itself: nothing else can while the workers stand still. */
async function nginxAnswers(path = '/kilobyte', token?: string): Promise<boolean> {
  const pids = workerPids();
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  try {
    const signal = AbortSignal.timeout(500);
    const answer = await fetch(service() + path, { headers: headers(token), signal });
    await answer.text();
    return answer.status === 200;
  } catch {
    return false;
  } finally {
    for (const pid of pids) process.kill(pid, 'SIGCONT');
  }
}

/** A worker admits the caller first, who is then known. */
async function untilNginxAnswers(token?: string): Promise<void> {
  await until(async () => {
    await (await get('/kilobyte', token)).text();
    return await nginxAnswers('/kilobyte', token);
  });
}

/** How many requests were answered; none failed. */
async function answeredWell(name: string): Promise<number> {
  const { answered, stop } = keptLoad(`${service(name)}/kilobyte`, headers(), 4);
  await answered(50);
  const { 200: ok = 0, ...others } = await stop();
  expect(others).toEqual({});
  return ok;
}

async function untilCounted(requests: number): Promise<void> {
  await until(async () => (await serviceFigures(home, 'counted')).answered['2xx'] === requests);
}

it('nginx answers callers whom a worker has admitted, and no others', async () => {
  expect(nginxPids()).toContain(masterPid());
  expect(listens(home.serverPid, port())).toBe(false);
  await untilNginxAnswers();
  expect(await nginxAnswers('/kilobyte', 'stranger')).toBe(false);
  expect((await get('/kilobyte', 'stranger')).status).toBe(403);
  expect((await fetch(`${service()}/kilobyte`)).status).toBe(403);
});

it('the API, the UI and all other requests to services pass by nginx', async () => {
  const api = await fetch(`${home.url}/api/server/get_info`, { method: 'POST' });
  expect(api.status).toBe(200);
  expect((await fetch(home.url)).status).toBe(200);
  const body = 'x'.repeat(3_000_000);
  const upload = await fetch(`${service()}/upload`, { method: 'POST', body, headers: headers() });
  expect(await upload.text()).toBe('3000000');
  const socket = new WebSocket(`${service().replace('http', 'ws')}/`, { headers: headers() });
  await once(socket, 'open');
  socket.send('hello');
  expect(String((await once(socket, 'message'))[0])).toBe('hello');
  socket.close();
  const events = await (await get('/events')).text();
  expect(events).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\n');
  expect(await callTool(home, 'list_fleets')).toContain('"default"');
  const redirect = await fetch(service(), { headers: headers(), redirect: 'manual' });
  expect([redirect.status, redirect.headers.get('location')]).toEqual([
    308,
    '/proxy/services/main/web/',
  ]);
});

it('apps see the address of the client, whatever its headers contain', async () => {
  const claimed = { 'x-dstack-gateway-address': '6.6.6.6', 'x-forwarded-for': '6.6.6.6' };
  for (const way of [{}, { expect: '', 'x-dstack-gateway-wants': 'ask' }]) {
    const more = { ...headers(), ...claimed, ...way };
    delete (more as { expect?: string }).expect;
    const answer = await fetch(`${service()}/seen`, { headers: more });
    const seen = (await answer.json()) as { headers: Record<string, string> };
    expect(seen.headers['x-forwarded-for']).toBe('127.0.0.1');
    expect(JSON.stringify(seen.headers)).not.toContain('6.6.6.6');
    expect(answer.headers.get('x-dstack-grant')).toBeNull();
  }
});

it('a caller who is no longer a member is refused at once', async () => {
  const username = 'ann';
  await home.api('/api/users/create', { username, global_role: 'user' });
  const { creds } = await home.api<{ creds: { token: string } }>('/api/users/get_user', {
    username,
  });
  await home.api('/api/projects/main/add_members', {
    members: [{ username, project_role: 'user' }],
  });
  await untilNginxAnswers(creds.token);
  await home.api('/api/projects/main/remove_members', { usernames: [username] });
  expect((await get('/kilobyte', creds.token)).status).toBe(403);
});

it('no request fails when the server is killed and started again', async () => {
  const earlier = await answeredWell('counted');
  // The first one was of `untilAnswered`.
  await untilCounted(earlier + 1);
  // The server itself answers the next request of each connection from before its workers. It stores its counts every
  // second, and when it ends.
  expect(await home.stopServer('SIGTERM')).toBe(0);
  await home.startServer();
  await untilCounted(earlier + 1);
  const { answered, stop } = keptLoad(`${service('counted')}/kilobyte`, headers(), 16);
  await answered(200);
  const before = masterPid();
  await home.stopServer('SIGKILL');
  await answered(500);
  await home.startServer();
  await answered(500);
  const { 200: ok = 0, ...others } = await stop();
  expect(others).toEqual({});
  expect(masterPid()).toBe(before);
  // None is lost or counted twice, no matter which process has answered it.
  await untilCounted(earlier + 1 + ok);
  await untilNginxAnswers();
});

it('streams continue while the server is stopped and started again', async () => {
  const answer = await get('/ticks');
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let seen = '';
  const readOn = async () => {
    const { length } = seen;
    while (seen.length < length + 30) seen += (await reader?.read())?.value;
  };
  await readOn();
  expect(await home.stopServer('SIGTERM')).toBe(0);
  await readOn();
  const api = await fetch(`${home.url}/api/server/get_info`, { method: 'POST' });
  expect(api.status).toBe(503);
  await home.startServer();
  await readOn();
  await reader?.cancel();
});

it('a killed nginx is started again at the same address', async () => {
  const before = masterPid();
  process.kill(before, 'SIGKILL');
  await until(async () => masterPid() !== before && listens(masterPid(), port()));
  await untilAnswered();
  await untilNginxAnswers();
});

it('killed workers are started again behind nginx', async () => {
  const before = workerPids();
  for (const pid of before) process.kill(pid, 'SIGKILL');
  await until(async () => {
    const now = workerPids();
    return now.length === 2 && !now.some((pid) => before.includes(pid));
  });
  await untilAnswered();
  await untilNginxAnswers();
});

it('the setting may change from one start to the next, and all requests stay counted', async () => {
  let { '2xx': counted = 0 } = (await serviceFigures(home, 'counted')).answered;
  for (const proxy of ['workers', 'nginx', 'workers', 'nginx']) {
    counted += await answeredWell('counted');
    await untilCounted(counted);
    await home.stopServer('SIGTERM');
    home.env.DSTACK_SERVER_PROXY = proxy;
    await home.startServer();
    expect((await get('/kilobyte')).status).toBe(200);
    await until(async () => nginxPids().length > 0 === (proxy === 'nginx'));
    const api = await fetch(`${home.url}/api/server/get_info`, { method: 'POST' });
    expect(api.status).toBe(200);
    await untilCounted(counted);
  }
  await untilNginxAnswers();
});

it('the setting may also change after a kill', async () => {
  // Those of before the last change have ended.
  await untilWorkers();
  const { '2xx': counted = 0 } = (await serviceFigures(home, 'counted')).answered;
  for (const proxy of ['workers', 'nginx']) {
    await home.stopServer('SIGKILL');
    home.env.DSTACK_SERVER_PROXY = proxy;
    await home.startServer();
    expect((await get('/kilobyte')).status).toBe(200);
    await until(async () => nginxPids().length > 0 === (proxy === 'nginx'));
    await untilCounted(counted);
  }
  await untilNginxAnswers();
});

it('Ctrl-C ends nginx and the workers after their requests', async () => {
  const pids = [...nginxPids(), ...workerPids()];
  const events = (await get('/events')).text();
  expect(await home.stopServer()).toBe(0);
  expect(await events).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\n');
  expect(nginxPids()).toEqual([]);
  expect(home.processes().filter((pid) => pids.includes(pid))).toEqual([]);
  await expect(fetch(home.url)).rejects.toThrow();
});
