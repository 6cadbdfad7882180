/** A worker, and a server of which only the messages are real. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LineChannel, routeOf } from '@dstack/proxy';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { listenerFd } from '../listener-fd.ts';
import { spawnWorker } from '../spawn-worker.ts';

const program = join(import.meta.dirname, 'worker-main.ts');
let dir: string;
let channel: LineChannel;
let url: string;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'dstack-worker-'));
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  url = `http://127.0.0.1:${port}`;
  const socket = join(dir, 'worker.sock');
  const args = [program, '--dir', dir, '--id', 'w', '--socket', socket, '--port', String(port)];
  const spawn = { node: process.execPath, args, env: {}, logPath: join(dir, 'log') };
  spawnWorker(spawn, listenerFd(listener));
  listener.close();
  channel = await opened(socket);
});
afterEach(async () => {
  await channel.ask('end', { limitMs: 0 }).catch(() => {});
  await channel.closed;
  rmSync(dir, { recursive: true });
});

async function opened(path: string): Promise<LineChannel> {
  for (;;) {
    const stream = connect(path);
    try {
      await once(stream, 'connect');
      // There are no services besides those that were sent.
      const none = () => null;
      return new LineChannel(stream, { time: () => Date.now() * 1000, route: none, outage: none });
    } catch {
      await delay(10);
    }
  }
}

function config() {
  return {
    ...{ serverSocket: join(dir, 'absent.sock'), trustedProxies: [], connections: 100 },
    ...{ timeoutMs: 1000, maxBody: 0, processes: 1, maxHeld: 10, accessLogPart: 0 },
    ...{ logLevel: 'fatal', lingerMs: 1000, ownTokens: [], modelBodies: { dir, limit: 1024 } },
    intake: { memory: 64 * 1024 * 1024, pace: { graceMs: 1000, bytesPerSecond: 1024 } },
    ...{ countsRatesInServer: false, origins: null },
  };
}

/** The route of a service whose only replica cannot be reached. */
function route(runName: string) {
  const runId = `run-${runName}`;
  const configuration = {
    ...{ type: 'service', auth: false, strip_prefix: true, replicas: { min: 1, max: 1 } },
    ...{ groups: null, scaling: null, rate_limits: [], model: null },
  };
  const replica = { jobId: `${runId}-0`, hostId: 'host', port: 8000, runningAt: 0 };
  const service = {
    ...{ projectId: 'p', served: null },
    route: routeOf({
      ...{ runId, projectName: 'main', runName, configuration: configuration as never },
      replicas: [{ ...replica, isFailing: false }],
    }),
  };
  return { runId, service, hosts: { host: { kind: 'server' } } };
}

const isKnown = async (name: string) =>
  (await fetch(`${url}/proxy/services/main/${name}/`)).status !== 404;

it('loses no change of a service that follows everything that it is sent', async () => {
  for (const name of ['new', 'running']) {
    const synced = channel.ask('sync', {
      config: config(),
      routes: [],
      grants: [],
      generation: null,
    });
    channel.notify('route', route(name));
    await synced;
    expect([await isKnown(name), await isKnown('other')]).toEqual([true, false]);
  }
});
