import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { diskUsage } from './disk-usage.ts';
import { VolumeUsage } from './volume-usage.ts';

const SIZE = 1_000_000;
const NEVER = new AbortController().signal;

describe('the bytes that a directory takes', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'usage-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('include those of all directories below, each file once, and nothing behind links', async () => {
    const empty = await diskUsage(dir, NEVER);
    mkdirSync(join(dir, 'deep', 'er'), { recursive: true });
    writeFileSync(join(dir, 'deep', 'er', 'file'), Buffer.alloc(SIZE));
    linkSync(join(dir, 'deep', 'er', 'file'), join(dir, 'again'));
    symlinkSync('/usr', join(dir, 'elsewhere'));
    const used = (await diskUsage(dir, NEVER)) - empty;
    expect(used).toBeGreaterThanOrEqual(SIZE);
    expect(used).toBeLessThan(1.5 * SIZE);
  });

  it('are none for a missing directory', async () => {
    expect(await diskUsage(join(dir, 'none'), NEVER)).toBe(0);
  });

  it('are no longer counted without requests', async () => {
    mkdirSync(join(dir, 'one'));
    await expect(diskUsage(dir, AbortSignal.abort())).rejects.toThrow();
  });
});

describe('measuring a volume', () => {
  let now = 0;
  let runs: { readonly dir: string; readonly end: (bytes: number) => void }[] = [];
  const usage = () => {
    now = 0;
    runs = [];
    return new VolumeUsage({
      now: () => now,
      onError: () => {},
      measure: (dir) => new Promise((end) => runs.push({ dir, end })),
    });
  };
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const minutes = (count: number) => count * 60_000;

  it('runs in the background, once at a time', async () => {
    const measured = usage();
    expect([measured.of('a'), measured.of('a')]).toEqual([null, null]);
    expect(runs).toHaveLength(1);
    runs[0]?.end(7);
    await settled();
    expect(measured.of('a')).toBe(7);
  });

  it('happens at most every ten minutes, and less often for a large volume', async () => {
    const measured = usage();
    measured.of('a');
    now += minutes(1);
    runs[0]?.end(7);
    await settled();
    now += minutes(19);
    measured.of('a');
    expect(runs).toHaveLength(1);
    now += minutes(1);
    expect(measured.of('a')).toBe(7);
    expect(runs).toHaveLength(2);
    runs[1]?.end(8);
    await settled();
    now += minutes(9);
    expect(measured.of('a')).toBe(8);
    expect(runs).toHaveLength(2);
  });

  it('starts anew for a volume that was deleted', async () => {
    const measured = usage();
    measured.of('a');
    runs[0]?.end(7);
    await settled();
    measured.forget('a');
    expect(measured.of('a')).toBeNull();
  });
});
