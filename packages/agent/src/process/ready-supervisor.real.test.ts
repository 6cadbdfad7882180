import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ReadySupervisor } from './start-supervisor.ts';

const parentOf = (pid: number): string | undefined =>
  /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];

it('gives the supervisor that waits to one job', async () => {
  const ready = new ReadySupervisor();
  const jobDir = mkdtempSync(join(tmpdir(), 'job-'));
  try {
    const supervisor = ready.take(jobDir);
    expect(parentOf(supervisor?.pid ?? 0)).toBe(String(process.pid));
    expect(ready.take(jobDir)).toBeNull();
    // The folder has no job, so that it ends with an error.
    expect(await once(supervisor as NonNullable<typeof supervisor>, 'exit')).toEqual([1, null]);
  } finally {
    rmSync(jobDir, { recursive: true });
  }
});

it('starts no second one for the next job once the first has ended', async () => {
  const ready = new ReadySupervisor();
  const supervisor = ready.take('');
  await once(supervisor as NonNullable<typeof supervisor>, 'exit');
  expect(ready.take('/nowhere')).toBeNull();
});
