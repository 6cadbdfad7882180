import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { hasLoopDisks, loopDisks } from './loop-disks.ts';

it.skipIf(!hasLoopDisks())(
  'a device is detached by force when what was killed has closed it, not before',
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'loop-disks-'));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const disks = loopDisks(dir);
    const device = (await disks.attach('data', { gib: 1 })) ?? '';
    const columns = ['--list', '--noheadings', '--output', 'AUTOCLEAR', device];
    const isDetaching = async () =>
      (await promisify(execFile)('losetup', columns)).stdout.trim() === '1';
    const user = spawn('sh', ['-c', `exec 3<${device}; echo open; read _`]);
    onTestFinished(() => void user.kill('SIGKILL'));
    await once(user.stdout, 'data');

    const order: string[] = [];
    const detached = disks.detach('data', { force: true }).then((is) => {
      order.push('detached');
      return is;
    });
    // The kernel detaches it when the last user closes it.
    while (!(await isDetaching()));
    // By then a program that was started before has ended too.
    await isDetaching();
    order.push('closed');
    user.stdin.end();
    expect(await detached).toBe(true);
    expect(order).toEqual(['closed', 'detached']);
    const left = execFileSync('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE']);
    expect(String(left)).not.toContain(dir);
  },
);
