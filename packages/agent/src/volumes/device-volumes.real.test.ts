import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canIsolate, IsolatedJobs } from '../testing/isolated-jobs.ts';

const MIB = 2 ** 20;
const run = (name: string, ...args: string[]) => execFileSync(name, args, { encoding: 'utf8' });

function hasLoopDevices(): boolean {
  try {
    run('losetup', '--find');
    return true;
  } catch {
    return false;
  }
}

const canAttach = canIsolate && hasLoopDevices();
if (!canAttach) console.warn('Volumes on devices are NOT tested: they need root and loop devices');

describe.skipIf(!canAttach)('volumes on devices that a provider has attached', () => {
  let jobs: IsolatedJobs;
  let dir: string;
  let id: string;
  let device: string;

  beforeEach(async () => {
    jobs = await IsolatedJobs.start();
    id = randomUUID();
    dir = mkdtempSync(join(tmpdir(), 'device-'));
    const file = join(dir, 'disk.img');
    writeFileSync(file, '');
    truncateSync(file, 64 * MIB);
    device = run('losetup', '--find', '--show', file).trim();
  });
  afterEach(async () => {
    await jobs.agent.call('POST', `/v1/volumes/${id}/unmount`, { device });
    await jobs.close();
    run('losetup', '--detach', device);
    rmSync(dir, { recursive: true });
  });

  const mounts = (format = true, path = device) => ({
    mounts: [
      {
        ...{ source: '', target: '/mnt', read_only: false, optional: false },
        volume: { id, path: null, device: { path, format } },
      },
    ],
  });
  const unmount = () => jobs.agent.call('POST', `/v1/volumes/${id}/unmount`, { device });
  const isMounted = () => existsSync(join('/run/dstack-volumes', id, 'lost+found'));

  it('get a file system once, and keep what jobs of any user write', async () => {
    const first = await jobs.run(['echo one > /mnt/file', 'id -u'], mounts());
    const second = await jobs.run(['echo two >> /mnt/file', 'cat /mnt/file'], mounts());
    expect(first.text.trim()).toBe(String(jobs.first));
    expect(second.text).toBe('one\ntwo\n');
    expect(run('blkid', '-o', 'value', '-s', 'TYPE', device).trim()).toBe('ext4');
  });

  it('are unmounted when no job uses them, so that all data is on the device', async () => {
    const job = await jobs.begin(['echo kept > /mnt/file', 'echo ready', 'sleep 100000'], mounts());
    expect((await unmount()).body).toMatchObject({ code: 'volume_in_use' });
    expect(isMounted()).toBe(true);
    await jobs.stopAndRemove(job.id);
    expect((await unmount()).status).toBe(204);
    expect((await unmount()).status).toBe(204);
    expect(isMounted()).toBe(false);
    const there = mkdtempSync(join(dir, 'there-'));
    run('mount', '-o', 'ro', device, there);
    expect(run('cat', join(there, 'file'))).toBe('kept\n');
    run('umount', there);
  });

  it('count as unmounted when no process has a mount of its own either', async () => {
    const job = await jobs.begin(['echo ready', 'sleep 100000'], mounts());
    const script = ['-c', 'echo ready; exec sleep 100000'];
    const other = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', ...script]);
    await once(other.stdout, 'data');
    await jobs.stopAndRemove(job.id);
    expect((await unmount()).body).toMatchObject({ code: 'volume_in_use' });
    other.kill();
    await once(other, 'exit');
    expect((await unmount()).status).toBe(204);
  });

  it('stay mounted for the next agent, which unmounts them', async () => {
    const job = await jobs.begin(['echo ready', 'sleep 100000'], mounts());
    await jobs.restartAfterKill();
    expect((await unmount()).body).toMatchObject({ code: 'volume_in_use' });
    await jobs.stopAndRemove(job.id);
    expect((await unmount()).status).toBe(204);
    expect(isMounted()).toBe(false);
  });

  it('are open to every user of a job, also if an agent was killed right after the formatting', async () => {
    run('mkfs.ext4', '-q', '-F', device);
    const { text } = await jobs.run(['echo one > /mnt/file', 'cat /mnt/file'], mounts());
    expect(text).toBe('one\n');
  });

  it('are never formatted over what is there', async () => {
    run('mkswap', device);
    const { state } = await jobs.run(['echo ran'], mounts());
    expect(state.exit).toMatchObject({ status: null, reason: 'volume_error' });
    expect(run('blkid', '-o', 'value', '-s', 'TYPE', device).trim()).toBe('swap');
  });

  it('must have a file system if they are registered, not made by the server', async () => {
    const { state } = await jobs.run(['echo ran'], mounts(false));
    expect(state.exit).toMatchObject({ reason: 'volume_error' });
    expect(state.exit?.message).toContain('has no file system');
  });

  it('fail the job if they are no block devices', async () => {
    const { state } = await jobs.run(['echo ran'], mounts(true, '/dev/null'));
    expect(state.exit?.message).toContain(
      'The volume at /dev/null cannot be mounted: it is not a block device',
    );
  });
});
