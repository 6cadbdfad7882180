/** Workers that stand still beside a server that runs, and the other way round. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { listenerFd } from './listener-fd.ts';
import { ProxyWorkers } from './proxy-workers.ts';
import { isWorkerAlive, readWorkerRecords } from './worker-records.ts';

const beats = { everyMs: 200, unresponsiveAfter: 3, lostAfter: 15 };
const program = join(import.meta.dirname, 'worker', 'worker-main.ts');

let dir: string;
let workers: ProxyWorkers;
let url: string;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'dstack-standing-'));
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  url = `http://127.0.0.1:${port}`;
  workers = new ProxyWorkers({
    ...{
      paths: { dir, sockets: dir, serverSocket: join(dir, 'server.sock') },
      build: 'b',
      program,
    },
    ...{ config: config(), node: process.execPath, env: {}, count: 2, beats },
    // There are no services.
    handlers: () => ({ time: () => Date.now() * 1000, route: () => null, outage: () => null }),
    known: async () => ({ routes: [], grants: [], generation: null }),
    ...{ onSynced: () => {}, onClosed: () => {}, onAllLost: () => {} },
    spools: { deliverKept: async () => true, collect: async () => {} },
    log: pino({ level: 'silent' }),
  });
  await workers.start({ host: '127.0.0.1', port, url }, listenerFd(listener), () => {
    listener.close();
  });
});
afterEach(async () => {
  await workers.end({ delayMs: 0, limitMs: 0 });
  rmSync(dir, { recursive: true });
});

function config() {
  return {
    ...{ serverSocket: join(dir, 'absent.sock'), trustedProxies: [], connections: 100 },
    ...{ timeoutMs: 1000, maxBody: 0, processes: 2, maxHeld: 10, accessLogPart: 0 },
    ...{ logLevel: 'fatal', lingerMs: 1000, ownTokens: [], modelBodies: { dir, limit: 1024 } },
    intake: { memory: 64 * 1024 * 1024, pace: { graceMs: 1000, bytesPerSecond: 1024 } },
    ...{ countsRatesInServer: false, origins: null },
  };
}

/** Returns the status of the answer to a request over a connection of its own. */
async function ask(): Promise<number | undefined> {
  const sent = get(`${url}/proxy/services/main/none/`, { agent: false });
  const [answer] = await once(sent, 'response');
  answer.resume();
  return answer.statusCode;
}

const recordsOf = (ids: readonly string[]) =>
  readWorkerRecords(dir).filter(({ id }) => ids.includes(id));

it.each([
  ['accepts connections', 0],
  ['gets a share of them', 1],
])('a worker that %s and stands still is replaced, and all requests are answered', async (_, n) => {
  const id = workers.ids[n] ?? '';
  const [still] = recordsOf([id]);
  if (!still) throw new Error('it has no record');
  process.kill(still.pid, 'SIGSTOP');
  const statuses: (number | undefined)[] = [];
  while (statuses.length < 30 || isWorkerAlive(still)) statuses.push(await ask());
  expect(new Set(statuses)).toEqual(new Set([404]));
  await expect.poll(() => workers.ids.length, { timeout: 120_000 }).toBe(2);
  expect(workers.ids).not.toContain(id);
  expect(await ask()).toBe(404);
});

it('a server that was paused for long ends none of its workers', async () => {
  const before = workers.ids;
  const pause = `kill -STOP ${process.pid}; sleep 4; kill -CONT ${process.pid}`;
  for (let n = 0; n < 2; n += 1) {
    // Questions that were sent before the pause are answered in it.
    const asked = workers.access('run' as never, new Map());
    await promisify(execFile)('sh', ['-c', pause]);
    await asked;
    expect(await ask()).toBe(404);
  }
  expect(workers.ids).toEqual(before);
  expect(recordsOf(before).every(isWorkerAlive)).toBe(true);
});
