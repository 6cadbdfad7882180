import { expect, test } from 'vitest';
import { mountPoints, mountWithin, parseMountInfo } from './mount-points.ts';

const INFO = [
  '22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw',
  '90 22 0:44 / /srv/jobs/a/home/my\\040data rw shared:5 - nfs4 box:/data rw',
  '',
].join('\n');

test('mount points are read with their blanks', () => {
  expect(parseMountInfo(INFO)).toEqual(['/', '/srv/jobs/a/home/my data']);
});

test('mounts in a folder are found, and those beside it are not', () => {
  const points = parseMountInfo(INFO);
  expect(mountWithin('/srv/jobs/a/home', points)).toBe('/srv/jobs/a/home/my data');
  expect(mountWithin('/srv/jobs/a/home/my data', points)).toBe('/srv/jobs/a/home/my data');
  expect(mountWithin('/srv/jobs/a/ho', points)).toBeUndefined();
  expect(mountWithin('/srv/jobs/a/work', points)).toBeUndefined();
});

test('this system lists its mounts', () => {
  expect(mountPoints()).toContain('/');
});
