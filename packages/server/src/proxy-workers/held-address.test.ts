import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { checkServerAddress } from './held-address.ts';
import {
  announceWorker,
  readWorkerRecords,
  startTimeOf,
  workerPaths,
  writeRecord,
} from './worker-records.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'held-address-'));
  mkdirSync(workerPaths(dir).dir);
  onTestFinished(() => rmSync(dir, { recursive: true }));
});

async function heldAddress() {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  onTestFinished(() => void holder.close());
  return { host: '127.0.0.1', port: (holder.address() as AddressInfo).port };
}

it('waits for the record of a worker that a killed server was starting', async () => {
  const address = await heldAddress();
  announceWorker(workerPaths(dir).dir, 'a');
  const checked = checkServerAddress({ dir, ...address });
  const own = { pid: process.pid, startTime: startTimeOf('self') };
  const record = { id: 'a', socket: '/nowhere', build: 'b', address: { ...address, url: '' } };
  writeRecord(workerPaths(dir).dir, { ...record, ...own });
  await checked;
});

it('waits for the end of such a worker', async () => {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as AddressInfo;
  announceWorker(workerPaths(dir).dir, 'a');
  const checked = checkServerAddress({ dir, host: '127.0.0.1', port });
  holder.close();
  await checked;
});

it('refuses an address that another program holds at once', async () => {
  const address = await heldAddress();
  await expect(checkServerAddress({ dir, ...address })).rejects.toThrow('is in use');
});

it.each([
  ['Z', 1, null],
  ['Z', 2, '19'],
  ['T', 1, '19'],
])('a worker in state %s with %i threads has the start time %s', (state, threads, expected) => {
  const fields = [state, ...Array.from({ length: 16 }, () => '0'), threads, '0', '19'];
  mkdirSync(join(dir, '7'));
  writeFileSync(join(dir, '7', 'stat'), `7 (node) ${fields.join(' ')}`);
  expect(startTimeOf(7, dir)).toBe(expected);
});

it('finds workers without a record by their command lines, beside those with one', () => {
  const proc = join(dir, 'proc');
  const { dir: own } = workerPaths(dir);
  const runs = (pid: number, id: string, { folder = own, more = '' } = {}) => {
    mkdirSync(join(proc, `${pid}`), { recursive: true });
    const words = `node main.js --dir ${folder} --id ${id} --socket /s --build b --host ::1 --port 80 --url http://x${more}`;
    writeFileSync(join(proc, `${pid}`, 'cmdline'), words.replaceAll(' ', '\0'));
    const fields = Array.from({ length: 20 }, (_, n) => (n === 0 ? 'T' : `${n}`)).join(' ');
    writeFileSync(join(proc, `${pid}`, 'stat'), `${pid} (no de) ${fields}`);
  };
  const address = { host: '::1', port: 80, url: 'http://x' };
  const record = { id: 'a', pid: 7, startTime: '19', socket: '/s', address, build: 'b' };
  writeRecord(own, record);
  for (const id of ['a', 'b', 'd']) announceWorker(own, id);
  runs(7, 'a');
  runs(8, 'b');
  runs(11, 'd', { more: ' --behind /behind.sock' });
  // The next two are of another server, and a worker that was never announced.
  runs(9, 'b', { folder: '/elsewhere' });
  runs(10, 'c');
  mkdirSync(join(proc, 'sys'));
  const uid = statSync(proc).uid;
  const found = { ...record, id: 'b', pid: 8 };
  const behind = { ...record, id: 'd', pid: 11, address: { ...address, behind: '/behind.sock' } };
  const all = readWorkerRecords(own, { proc, uid });
  expect(all.toSorted((one, other) => one.pid - other.pid)).toEqual([record, found, behind]);
  // A stranger sees the arguments, and would be given what workers know.
  expect(readWorkerRecords(own, { proc, uid: uid + 1 })).toEqual([record]);
});
