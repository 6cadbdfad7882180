import { expect, it } from 'vitest';
import { canOutliveServer, thisProcess } from './outlives-server.ts';

it.each([
  { pid: 1, ppid: 0, init: 'node', outlive: false },
  { pid: 7, ppid: 1, init: 'tini', outlive: false },
  { pid: 700, ppid: 1, init: 'systemd', outlive: true },
  { pid: 700, ppid: 650, init: 'tini', outlive: true },
])(
  'process $pid below $ppid and $init: others can outlive it = $outlive',
  ({ outlive, ...place }) => {
    expect(canOutliveServer(place)).toBe(outlive);
  },
);

it('the place of this process is known', () => {
  expect(canOutliveServer(thisProcess())).toBe(true);
});
