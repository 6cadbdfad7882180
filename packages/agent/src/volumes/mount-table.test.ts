import { expect, it } from 'vitest';
import { mountedDevice } from './mount-table.ts';

const TABLE = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:25 / /run rw - tmpfs tmpfs rw
40 30 7:0 / /run/dstack-volumes/a\\040b rw shared:7 - ext4 /dev/loop0 rw
41 40 7:1 / /run/dstack-volumes/a\\040b rw shared:8 - ext4 /dev/loop1 rw
`;

it('the device at a path is that of the topmost mount', () => {
  expect(mountedDevice(TABLE, '/run')).toBe('0:25');
  expect(mountedDevice(TABLE, '/run/dstack-volumes/a b')).toBe('7:1');
  expect(mountedDevice(TABLE, '/run/dstack-volumes')).toBeNull();
});
