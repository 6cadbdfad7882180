import { Requirements } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { wantedDiskGb } from './wanted-disk.ts';

it.each([
  ['50GB..', 50],
  ['50GB..80GB', 50],
  ['..60GB', 60],
  ['..500GB', 100],
  [null, 100],
])('a disk of %s has %d GB', (disk, gb) => {
  expect(wantedDiskGb(Requirements.parse({ resources: { disk } }))).toBe(gb);
});
