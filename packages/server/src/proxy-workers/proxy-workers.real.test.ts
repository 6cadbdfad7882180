/** Workers of an earlier server. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ProxyWorkers, type ProxyWorkersOptions } from './proxy-workers.ts';
import { isWorkerAlive, readWorkerRecords, startTimeOf, writeRecord } from './worker-records.ts';

const program = join(import.meta.dirname, 'testing', 'spawned-worker.ts');
const build = 'b';
const address = { host: '127.0.0.1', port: 1, url: 'http://127.0.0.1:1' };

let dir: string;
let workers: ProxyWorkers | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dstack-workers-'));
});
afterEach(() => {
  workers?.detach();
  for (const { pid } of readWorkerRecords(dir).filter(isWorkerAlive)) process.kill(pid, 'SIGKILL');
  rmSync(dir, { recursive: true });
});

/** Its record is there, as of a server before this one. */
async function startedWorker(id: string, ...flags: string[]) {
  const socket = join(dir, `${id}.sock`);
  const { host, port, url } = address;
  const options = Object.entries({ id, socket, build, host, port, url });
  const args = [program, ...options.flatMap(([name, value]) => [`--${name}`, String(value)])];
  const started = spawn(process.execPath, [...args, ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => started.stdout.once('data', resolve));
  const pid = started.pid ?? 0;
  const record = { id, pid, startTime: startTimeOf(pid), socket, address, build };
  writeRecord(dir, record);
  return record;
}

function newWorkers(options: Pick<ProxyWorkersOptions, 'count'> & Partial<ProxyWorkersOptions>) {
  const made = new ProxyWorkers({
    ...{ paths: { dir, sockets: dir, serverSocket: join(dir, 'server.sock') }, build, program },
    ...{ config: {} as never, node: process.execPath, env: {}, handlers: () => ({}) },
    known: async () => ({ routes: [], grants: [], generation: null }),
    ...{ onSynced: () => {}, onClosed: () => {}, onAllLost: () => {} },
    spools: { deliverKept: async () => true, collect: async () => {} },
    log: pino({ level: 'silent' }),
    ...options,
  });
  workers = made;
  return made;
}

it.each([
  ['serves', '--accepts'],
  ['drains', '--drains'],
])(
  'a worker that has lost its connection is ended before what it has kept is collected; it %s',
  async (_does, flag) => {
    const record = await startedWorker('the-worker', flag);
    const collected: { readonly isThere: boolean; readonly isAlive: boolean }[] = [];
    const made = newWorkers({
      count: 1,
      spools: {
        deliverKept: async () => true,
        collect: async (isThere) => {
          collected.push({ isThere: isThere(record.id), isAlive: isWorkerAlive(record) });
        },
      },
    });
    await made.adopt(address);
    const before = collected.length;
    made.notify('break', {});
    await expect.poll(() => collected.length).toBeGreaterThan(before);
    expect(collected.at(-1)).toEqual({ isThere: false, isAlive: false });
    expect(readWorkerRecords(dir).map(({ id }) => id)).not.toContain(record.id);
  },
);

it('of workers that all accept connections one stays, and starts the others anew', async () => {
  const before = [
    await startedWorker('one', '--accepts'),
    await startedWorker('two', '--accepts'),
    await startedWorker('three'),
  ];
  await newWorkers({ count: 3 }).adopt(address);
  const isReplaced = () => before.filter((record) => !isWorkerAlive(record)).length === 1;
  await expect.poll(isReplaced).toBe(true);
  await expect.poll(() => workers?.ids.length).toBe(3);
  const kept = before.filter(isWorkerAlive).map(({ id }) => id);
  expect(kept).toContain('three');
  expect(workers?.ids).toEqual(expect.arrayContaining(kept));
});

it('a worker that stands still when it is to start another one is replaced', async () => {
  const still = await startedWorker('one', '--accepts');
  const lost = Promise.withResolvers<void>();
  const made = newWorkers({
    ...{ count: 2, answerMs: 300, onAllLost: lost.resolve },
    onSynced: () => process.kill(still.pid, 'SIGSTOP'),
  });
  await made.adopt(address);
  await lost.promise;
  await expect.poll(() => isWorkerAlive(still)).toBe(false);
});

it('a worker that stands still has no answered requests to show', async () => {
  const still = await startedWorker('one', '--accepts');
  const made = newWorkers({ count: 1, answerMs: 300 });
  await made.adopt(address);
  process.kill(still.pid, 'SIGSTOP');
  expect(await made.access('run', new Map())).toEqual(new Map());
});

it('a worker that stands still when it is to end is ended', async () => {
  const still = await startedWorker('one', '--accepts');
  const made = newWorkers({ count: 1, answerMs: 300 });
  await made.adopt(address);
  process.kill(still.pid, 'SIGSTOP');
  await made.end({ delayMs: 0, limitMs: 0 });
  expect(isWorkerAlive(still)).toBe(false);
});

it('a worker that ends before it answers is followed by another one, and leaves no record', async () => {
  await startedWorker('one', '--accepts');
  writeFileSync(join(dir, 'dies'), '');
  await newWorkers({ count: 2 }).adopt(address);
  await expect.poll(() => workers?.ids.length, { timeout: 5000 }).toBe(2);
  const recorded = readWorkerRecords(dir).map(({ id }) => id);
  expect(recorded.sort()).toEqual([...(workers?.ids ?? [])].sort());
});
