import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { checkServerAddress } from './held-address.ts';
import { announceWorker, startTimeOf, workerPaths, writeRecord } from './worker-records.ts';

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
