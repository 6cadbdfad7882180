import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fullDisk } from './disk.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dstack-disk-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('a full disk', () => {
  const room = { bytes: 1e9, files: 1000, mostFiles: 5000 };
  const problem = (less: object) => fullDisk('/var/lib/x', async () => ({ ...room, ...less }));

  it('is reported with its folder and what is lost', async () => {
    expect(await problem({})).toBeNull();
    expect(await problem({ bytes: 1e6 })).toMatch(/\/var\/lib\/x on its host is full.*not counted/);
    expect(await problem({ files: 3 })).toMatch(/can hold no more files/);
  });

  it('is none where files are not limited, or nothing is known', async () => {
    expect(await problem({ files: 0, mostFiles: 0 })).toBeNull();
    expect(await fullDisk(join(dir, 'missing'))).toBeNull();
    expect(await fullDisk(dir)).toBeNull();
  });
});
