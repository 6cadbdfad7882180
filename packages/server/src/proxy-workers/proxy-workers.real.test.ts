/** Workers that a server has lost its connection to. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WORKER_PROTOCOL } from './protocol.ts';
import { ProxyWorkers } from './proxy-workers.ts';
import { isWorkerAlive, readWorkerRecords, startTimeOf, writeRecord } from './worker-records.ts';

/** A worker that ends the connection at the message `break`, and goes on. */
const WORKER = `
const [socket, hello] = process.argv.slice(1);
require('node:net').createServer((connection) => {
  const send = (frame) => connection.write(JSON.stringify(frame) + '\\n');
  send({ type: 'hello', data: { ...JSON.parse(hello), pid: process.pid } });
  require('node:readline').createInterface(connection).on('line', (line) => {
    const { type, id } = JSON.parse(line);
    if (type === 'break') connection.destroy();
    else if (id !== undefined) send({ to: id, data: null });
  });
}).listen(socket, () => console.log('ready'));
`;

const [id, build] = ['the-worker', 'b'];
const address = { host: '127.0.0.1', port: 1, url: 'http://127.0.0.1:1' };

let dir: string;
let child: ChildProcess | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dstack-workers-'));
});
afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(dir, { recursive: true });
});

/** Its record is there, as of a server before this one. */
async function startedWorker(isDraining: boolean) {
  const socket = join(dir, 'w.sock');
  const hello = { protocol: WORKER_PROTOCOL, build, id, address, isDraining };
  const started = spawn(process.execPath, ['-e', WORKER, socket, JSON.stringify(hello)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child = started;
  await new Promise((resolve) => started.stdout.once('data', resolve));
  const pid = started.pid ?? 0;
  const record = { id, pid, startTime: startTimeOf(pid), socket, address, build };
  writeRecord(dir, record);
  return record;
}

it.each([false, true])(
  'a worker that has lost its connection is ended before what it has kept is collected; draining: %s',
  async (isDraining) => {
    const record = await startedWorker(isDraining);
    const collected: { readonly isThere: boolean; readonly isAlive: boolean }[] = [];
    const workers = new ProxyWorkers({
      ...{ paths: { dir, sockets: dir, serverSocket: join(dir, 'server.sock') }, build },
      ...{ count: 1, config: {} as never, node: '', program: '', env: {}, handlers: () => ({}) },
      known: async () => ({ routes: [], grants: [] }),
      ...{ onSynced: () => {}, onClosed: () => {}, onAllLost: () => {} },
      spools: {
        deliverKept: async () => true,
        collect: async (isThere) => {
          collected.push({ isThere: isThere(id), isAlive: isWorkerAlive(record) });
        },
      },
      log: pino({ level: 'silent' }),
    });
    await workers.adopt(address);
    const before = collected.length;
    workers.notify('break', {});
    await expect.poll(() => collected.length).toBeGreaterThan(before);
    expect(collected.at(-1)).toEqual({ isThere: false, isAlive: false });
    expect(readWorkerRecords(dir)).toEqual([]);
    workers.detach();
  },
);
