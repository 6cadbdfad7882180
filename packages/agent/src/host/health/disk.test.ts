import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { CheckStatus } from './check.ts';
import { diskCheck, diskHealth, isReadOnly } from './disk.ts';

const GIB = 2 ** 30;
const disk = {
  ...{ path: '/var/lib/docker', totalBytes: 1000 * GIB, freeBytes: 500 * GIB },
  ...{ inodes: 1e6, freeInodes: 5e5, readOnly: false },
};
const healthOf = (more: Partial<typeof disk>, before: CheckStatus = 'healthy') =>
  diskHealth([{ ...disk, ...more }], before);

describe('health of disks', () => {
  it.each([
    ['healthy', 11, 1000],
    ['warning', 9.9, 1000],
    ['failure', 0.9, 1000],
    ['healthy', 6, 100],
    ['warning', 4, 100],
    ['warning', 0.2, 16],
    ['failure', 0.1, 16],
    ['healthy', 0, 0],
  ])('is %s with %d of %d GiB', (status, free, total) => {
    const found = healthOf({ freeBytes: free * GIB, totalBytes: total * GIB });
    expect(found.status).toBe(status);
  });

  it('names the disk, what is left, and what to do', () => {
    expect(healthOf({ freeBytes: 9 * GIB }).message).toBe(
      '9 GB (0 %) of the disk of /var/lib/docker are free; remove files or images',
    );
    expect(healthOf({ freeBytes: 0 }).message).toContain('less than 1 GB (0 %)');
  });

  it('improves only when there is clearly more room, so that it does not flap', () => {
    const free = { freeBytes: 11 * GIB };
    expect([healthOf(free).status, healthOf(free, 'warning').status]).toEqual([
      'healthy',
      'warning',
    ]);
    expect(healthOf({ freeBytes: 13 * GIB }, 'warning').status).toBe('healthy');
    expect(healthOf({ freeBytes: 1.1 * GIB }, 'failure').status).toBe('failure');
    expect(healthOf({ freeBytes: 1.3 * GIB }, 'failure').status).toBe('warning');
  });

  it.each([
    ['warning', 40_000],
    ['failure', 9_000],
  ])('is a %s with %d of a million inodes', (status, freeInodes) => {
    expect(healthOf({ freeInodes })).toEqual({ status, message: expect.stringMatching(/inodes/) });
  });

  it('is good where inodes are not limited', () => {
    expect(healthOf({ inodes: 0, freeInodes: 0 }).status).toBe('healthy');
  });

  it('is bad when the kernel has made the file system read-only', () => {
    expect(healthOf({ readOnly: true })).toEqual({
      status: 'failure',
      message: expect.stringMatching(/^the file system of \/var\/lib\/docker is read-only/),
    });
  });

  it('is read from this host, without paths that do not exist', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'disk-'));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const found = await diskCheck([dir, join(dir, 'no'), dir], 1000).run();
    expect(found?.message ?? '').not.toContain('/no');
  });
});

describe('a mount', () => {
  const MOUNTS = [
    '22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro',
    '30 22 254:1 / /var/lib/docker rw,noatime shared:2 - ext4 /dev/vdb ro,errors=remount-ro',
    '31 22 254:2 / /mnt/my\\040disk ro,relatime - xfs /dev/vdc rw',
    '32 22 0:40 / /mnt/twice ro - tmpfs tmpfs rw',
    '33 22 0:41 / /mnt/twice rw - tmpfs tmpfs rw',
    '34 22 0:42 / /var/lib/dock ro - tmpfs tmpfs ro',
  ].join('\n');

  it.each([
    ['/var/lib/dstack', false],
    ['/var/lib/docker', true],
    ['/var/lib/docker/overlay2', true],
    ['/var/lib/dockers', false],
    ['/mnt/my disk/state', true],
    ['/mnt/twice', false],
  ])('at %s is read-only: %s', (path, readOnly) => {
    expect(isReadOnly(MOUNTS, path)).toBe(readOnly);
  });

  it('that cannot be read counts as writable', () => expect(isReadOnly('', '/')).toBe(false));
});
