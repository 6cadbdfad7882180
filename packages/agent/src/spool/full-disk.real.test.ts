import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FileSpoolReader } from './file-spool-reader.ts';
import { SpoolFeed } from './spool-feed.ts';
import { SpoolWriter } from './spool-writer.ts';

const isRoot = process.getuid?.() === 0;
let disk: string;
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'disk-'));
  if (isRoot) execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk]);
});
afterEach(() => {
  if (isRoot) execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true });
});

it.skipIf(!isRoot)('keeps the bytes that a full disk refuses until there is space', async () => {
  const dir = join(disk, 'spool');
  const writer = new SpoolWriter({ dir, maskedValues: [] });
  const reader = new FileSpoolReader(dir);
  const source = { paused: false, pause: () => void 0, resume: () => void 0 };
  source.pause = () => {
    source.paused = true;
  };
  source.resume = () => {
    source.paused = false;
  };
  const feed = new SpoolFeed({ writer, source: () => source, retryMs: 1 });
  feed.push(Buffer.from('before\n'), 1);
  writeFileSync(join(disk, 'filler'), Buffer.alloc(180 * 1024));
  const large = Buffer.alloc(128 * 1024, 'x');
  feed.push(large, 2);
  expect(source.paused).toBe(true);
  feed.push(Buffer.from('\nlate\n'), 3);
  expect(writer.place).toEqual({ newlines: 1, tail: 0 });
  rmSync(join(disk, 'filler'));
  await feed.settled();
  expect(source.paused).toBe(false);
  writer.close(4);
  reader.finish();
  expect(reader.end).toBe(7 + large.length + 6);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < reader.end; ) {
    const chunk = await reader.read(at, 1_000_000);
    parts.push(chunk?.bytes ?? new Uint8Array());
    at = (chunk?.offset ?? 0) + (chunk?.bytes.length ?? 1);
  }
  expect(Buffer.concat(parts).toString()).toBe(`before\n${large}\nlate\n`);
});

it.skipIf(!isRoot)('continues after a full disk, with a gap where output was lost', async () => {
  const dir = join(disk, 'spool');
  const writer = new SpoolWriter({ dir, maskedValues: [] });
  writer.append(Buffer.from('before\n'), 1);
  writeFileSync(join(disk, 'filler'), Buffer.alloc(180 * 1024));
  const lost = Buffer.alloc(128 * 1024, 'x');
  expect(writer.append(lost, 2)).toBe(false);
  expect(writer.retry()).toBe(false);
  writer.skip();
  rmSync(join(disk, 'filler'));
  writer.append(Buffer.from('after\n'), 3);
  writer.close(4);
  const reader = new FileSpoolReader(dir);
  const first = await reader.read(0, 1000);
  expect(Buffer.from(first?.bytes ?? []).toString()).toBe('before\n');
  const second = await reader.read(7, 1000);
  expect(second?.offset).toBe(7 + lost.length);
  expect(Buffer.from(second?.bytes ?? []).toString()).toBe('after\n');
  expect(reader.end).toBe(7 + lost.length + 6);
});
