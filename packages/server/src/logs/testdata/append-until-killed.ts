/**
 * Appends numbered lines to a log and prints each length that was acknowledged (synced), until it is
 * killed. Arguments: folder of the store, seed.
 */
import { writeSync } from 'node:fs';
import { FileLogStore } from '../file/file-log-store.ts';

const [root = '', seed = '0'] = process.argv.slice(2);
const ref = { project: 'p', run: 'r', jobId: '7971ea15-4056-4bef-8833-c93e0e7d5128' };
const store = new FileLogStore({
  root,
  now: () => Date.now() * 1000,
  quotaPerHour: 0,
  onQuota: () => {},
  onSyncError: (_, error) => {
    throw error;
  },
  segmentBytes: 64 * 1024,
});

/** Line n of the job's output: longer and shorter ones, with a colour. */
function line(n: number): string {
  return `\x1b[32mline ${n}\x1b[0m ${'.'.repeat(n % 90)}\n`;
}

/** Output from an offset on, as an agent would send it from its spool. */
function* output(from: number): Generator<string> {
  let at = 0;
  for (let n = 0; ; n++) {
    const text = line(n);
    if (at + text.length > from) yield text.slice(Math.max(0, from - at));
    at += text.length;
  }
}

let offset = await store.length(ref);
writeSync(1, `start ${offset}\n`);
let piece = '';
let random = Number(seed) + 1;
for (const text of output(offset)) {
  piece += text;
  random = (random * 48271) % 2147483647;
  if (piece.length < random % 3000) continue;
  // An agent sends unacknowledged output again.
  await store.append(ref, offset, Date.now() * 1000, Buffer.from(piece));
  offset += piece.length;
  piece = '';
  if (random % 3 > 0) continue;
  const durable = await store.sync([ref]);
  writeSync(1, `ack ${durable[ref.jobId]}\n`);
}
