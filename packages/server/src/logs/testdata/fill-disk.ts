/**
 * Appends until the disk is full, frees some room, continues, and prints the results as JSON.
 * Argument: a folder on a small file system.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FileLogStore } from '../file/file-log-store.ts';
import type { LogStoreError } from '../log-store.ts';

const root = process.argv[2] ?? '';
const ballast = join(root, 'ballast');
await writeFile(ballast, Buffer.alloc(300_000));
const ref = { project: 'p', run: 'r', jobId: '7971ea15-4056-4bef-8833-c93e0e7d5128' };
const open = () =>
  new FileLogStore({
    root: join(root, 'logs'),
    now: () => 0,
    quotaPerHour: 0,
    onQuota: () => {},
    onSyncError: () => {},
  });
let store = open();
const line = Buffer.from(`${'x'.repeat(9_999)}\n`);

async function intact(length: number): Promise<string> {
  for (let at = 0; at < length; ) {
    const piece = await store.readRaw(ref, at, line.length);
    if (!piece || !line.equals(piece.bytes)) return `differs at ${at}`;
    at += piece.bytes.length;
  }
  return 'intact';
}

let length = 0;
let code = '';
while (code === '') {
  try {
    ({ length } = await store.append(ref, length, length + 1, line));
  } catch (error) {
    code = (error as LogStoreError).code;
  }
}
const before = (await store.length(ref)) === length;
await rm(ballast);
const { length: next } = await store.append(ref, length, length + 1, line);
const durable = await store.sync([ref]);
await store.close();
store = open();
const kept = await store.length(ref);
const more = next === length + line.length && durable[ref.jobId] === next && kept === next;
console.log(JSON.stringify({ code, before, after: await intact(kept), more }));
await store.close();
