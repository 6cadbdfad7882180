/** One proxy worker with a thousand services: its memory, and the time until a change holds. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, get, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LineChannel, routeOf } from '../packages/proxy/src/index.ts';
import { spawnWorker } from '../packages/server/src/proxy-workers/spawn-worker.ts';
import { root } from './installation.ts';
import { print, summary } from './measure.ts';
import { residentMb } from './server-start.ts';

const SERVICES = 1000;
const CHANGES = 50;

export async function proxyRoutes(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'dstack-routes-'));
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const socket = join(dir, 'worker.sock');
  const program = join(root, 'dist', 'server', 'proxy-worker.js');
  const args = [program, '--dir', dir, '--id', 'bench', '--socket', socket, '--port', String(port)];
  const { fd } = (listener as unknown as { readonly _handle: { readonly fd: number } })._handle;
  spawnWorker({ node: process.execPath, args, env: {}, logPath: join(dir, 'log') }, fd);
  const { channel, pid } = await opened(socket);
  try {
    await channel.ask('sync', { config: config(dir), routes: [], grants: [] });
    listener.close();
    await delay(1000);
    const before = residentMb(pid);
    const routes = Array.from({ length: SERVICES }, (_, n) => route(n));
    await channel.ask('sync', { config: config(dir), routes, grants: [] });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const status = async (n: number) => {
      const asked = get({ port, agent, path: `/proxy/services/main/s${n}/` });
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      answer.resume();
      await once(answer, 'close');
      return answer.statusCode;
    };
    for (let n = 0; n < SERVICES; n++) await status(n);
    print({
      name: `proxy worker: ${SERVICES} services with 2 replicas each`,
      unit: 'MB',
      without: before,
      with: residentMb(pid),
    });
    const times: number[] = [];
    for (let n = 0; n < CHANGES; n++) {
      const started = performance.now();
      channel.notify('route', { ...route(n), service: null });
      while ((await status(n)) !== 404);
      times.push(performance.now() - started);
    }
    print({
      name: 'proxy worker: change of a route, until it holds',
      unit: 'ms',
      ...summary(times),
    });
    agent.destroy();
  } finally {
    await channel.ask('end', { limitMs: 0 }).catch(() => {});
    rmSync(dir, { recursive: true, force: true });
  }
}

async function opened(socket: string) {
  for (;;) {
    const stream = connect(socket);
    try {
      await once(stream, 'connect');
      const hello = Promise.withResolvers<{ readonly pid: number }>();
      // No service of that name, and no reason why it is unavailable.
      const channel = new LineChannel(stream, {
        hello: hello.resolve,
        route: () => null,
        readState: () => null,
      });
      return { channel, pid: (await hello.promise).pid };
    } catch {
      // The worker does not listen yet.
      await delay(20);
    }
  }
}

function config(dir: string) {
  return {
    ...{ serverSocket: join(dir, 'absent.sock'), trustedProxies: [], timeoutMs: 1000, maxBody: 0 },
    ...{
      processes: 1,
      maxHeld: 10,
      accessLogPart: 0,
      logLevel: 'fatal',
      lingerMs: 1000,
      ownTokens: [],
    },
    modelBodies: { dir, limit: 1024 },
    intake: { memory: 64 * 1024 * 1024, pace: { graceMs: 1000, bytesPerSecond: 1024 } },
    ...{ countsRatesInServer: false, origins: null },
  };
}

function route(n: number) {
  const runId = `run-${n}`;
  const replicas = [0, 1].map((num) => ({
    ...{ jobId: `${runId}-${num}`, hostId: `host-${n}`, port: 8000 },
    ...{ runningAt: 0, isFailing: false },
  }));
  const configuration = {
    ...{ type: 'service', auth: false, strip_prefix: true, replicas: { min: 2, max: 2 } },
    ...{ groups: null, scaling: null, rate_limits: [], model: null },
  };
  const named = { runId, projectName: 'main', runName: `s${n}` };
  const service = {
    ...{ projectId: 'p', served: null },
    route: routeOf({ ...named, configuration: configuration as never, replicas }),
  };
  return { runId, service, hosts: { [`host-${n}`]: { kind: 'server' } } };
}
