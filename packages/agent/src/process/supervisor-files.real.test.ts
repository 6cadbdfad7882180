import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SupervisorFiles } from './supervisor-files.ts';

const isRoot = process.getuid?.() === 0;
let disk: string;
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'disk-'));
  if (isRoot) execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', disk]);
});
afterEach(() => {
  if (isRoot) execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true });
});

function fill(): void {
  for (let size = 4096; size >= 1; size >>= 1) {
    try {
      for (;;) appendFileSync(join(disk, 'ballast'), Buffer.alloc(size));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
}

const exit = { status: 3, error: null, time: 1 };

it.skipIf(!isRoot)('records the end of a job on a disk that is full by then', () => {
  const files = new SupervisorFiles(disk);
  files.reserveExit();
  fill();
  files.writeExit(exit);
  expect(files.readExit()).toEqual(exit);
  expect(existsSync(join(disk, 'exit.reserve'))).toBe(false);
});

it.skipIf(!isRoot)('can retry a record that found no space', () => {
  const files = new SupervisorFiles(disk);
  fill();
  expect(() => files.writeExit(exit)).toThrow(/ENOSPC/);
  expect(files.readExit()).toBeNull();
  rmSync(join(disk, 'ballast'));
  files.writeExit(exit);
  expect(files.readExit()).toEqual(exit);
});
