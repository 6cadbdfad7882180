import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  applyFleet,
  configuration,
  isFinished,
  isRunning,
  newInstallation,
  sharedFile,
  submit,
  untilRun,
  untilStill,
} from './installation.ts';
import { untilPrinted } from './printed.ts';

const missing = mountMissing();
if (missing) console.warn(`A full disk is NOT tested: ${missing}`);

function mountMissing(): string | null {
  if (process.getuid?.() !== 0) return 'only root can make a small disk';
  const probe = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'x', '/mnt']);
  return probe.status === 0 ? null : 'this computer does not allow mounts';
}

describe.skipIf(missing !== null)('a full disk', () => {
  let disk: string;
  let home: Installation;
  beforeEach(() => {
    disk = mkdtempSync(join(tmpdir(), 'small-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'small', disk]);
    home = newInstallation({ DSTACK_SERVER_DIR: join(disk, 'server') });
  });
  afterEach(async () => {
    await home.dispose();
    execFileSync('umount', ['-l', disk]);
    rmSync(disk, { recursive: true });
  });

  function fill(): void {
    for (let size = 1 << 20; size >= 1; size >>= 1) {
      try {
        for (;;) appendFileSync(join(disk, 'ballast'), Buffer.alloc(size));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
  }
  const makeRoom = () => rmSync(join(disk, 'ballast'));

  it('is reported when the server starts on it, and the start succeeds once there is room', async () => {
    fill();
    const { code, stderr } = await home.dstack(['server', '--port', '0', '-y']);
    expect(code).toBe(1);
    expect(stderr.match(/^error: /gm)).toHaveLength(1);
    expect(stderr).toMatch(/no space left|full/i);
    expect(stderr).not.toContain('dstack did not expect this error');
    makeRoom();
    await home.startServer();
    expect(await home.api('/api/users/get_my_user')).toMatchObject({ username: 'admin' });
  });

  it('is reported on submission, reading continues, and submission works again once there is room', async () => {
    await home.startServer();
    await applyFleet(home, '0..2');
    await submit(home, 'before', ['true']);
    await untilRun(home, 'before', isFinished);
    fill();
    const yaml = `type: task\nname: during\ncommands: [echo ${'x'.repeat(20_000)}]\nresources: {gpu: 0}\n`;
    const file = configuration(home, 'during.dstack.yml', yaml);
    let failed = await home.dstack(['apply', '-f', file, '-y', '-d']);
    // The rest of the last page may allow a few more writes.
    for (let i = 0; failed.code === 0 && i < 200; i++) {
      failed = await home.dstack(['apply', '-f', file, '-y', '-d', '--name', `during-${i}`]);
    }
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(/no space left|full/i);
    expect(await home.ok('ps', '-a')).toContain('before');
    makeRoom();
    await submit(home, 'after', ['echo works again']);
    expect(await untilRun(home, 'after', isFinished)).toMatchObject({ status: 'done' });
    expect(await home.ok('logs', 'after')).toContain('works again');
  });

  it('delays a job, which loses neither its exit code nor a line', async () => {
    await home.startServer();
    await applyFleet(home);
    // Printed where there is room; long lines, so that the buffers in between are soon full.
    const progress = sharedFile(home);
    const line = `echo "line $i ${'x'.repeat(500)}"; echo $i > ${progress}`;
    await submit(home, 'counter', [`for i in $(seq 200); do ${line}; sleep 0.02; done`, 'exit 3']);
    await untilRun(home, 'counter', isRunning);
    await untilPrinted(home, 'counter', (text) => text.includes('line 5'));
    fill();
    await untilStill(() => readFileSync(progress, 'utf8'));
    expect(isRunning(await untilRun(home, 'counter', () => true))).toBe(true);
    makeRoom();
    const run = await untilRun(home, 'counter', isFinished);
    expect(run.latest_job_submission.exit_status).toBe(3);
    const logs = await home.ok('logs', 'counter');
    const numbers = [...logs.matchAll(/^line (\d+)/gm)].map(([, number]) => Number(number));
    expect(numbers).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
  });
});
