import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FileSpoolReader } from './file-spool-reader.ts';
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

it.skipIf(!isRoot)('goes on after a full disk, with a hole where output was lost', async () => {
  const dir = join(disk, 'spool');
  const writer = new SpoolWriter({ dir, maskedValues: [] });
  writer.append(Buffer.from('before\n'), 1);
  writeFileSync(join(disk, 'filler'), Buffer.alloc(180 * 1024));
  const lost = Buffer.alloc(128 * 1024, 'x');
  writer.append(lost, 2);
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
