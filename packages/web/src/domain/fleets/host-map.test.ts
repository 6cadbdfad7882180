import type { FleetJob, Instance } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { anInstance } from '../../testing/fleets.ts';
import { hostTiles, tileText } from './host-map.ts';

const uses = (instance: Instance) =>
  hostTiles([instance], [])[0]?.cells.map(({ use, block }) => `${block}${use}`);
const gpus = (count: number, more: Partial<Instance> = {}) =>
  anInstance('pool', 0, { ...more }, count);

it('has a cell for each GPU, those of busy blocks in use', () => {
  const half = gpus(4, { status: 'busy', total_blocks: 2, busy_blocks: 1 });
  expect(uses(half)).toEqual(['0busy', '0busy', '1free', '1free']);
  expect(hostTiles([half], []).map(tileText)).toEqual(['2 of 4 GPUs in use']);
});

it('has a cell for each block, or one for the host, where there are no GPUs', () => {
  expect(uses(gpus(0, { total_blocks: 3, busy_blocks: 1, status: 'busy' }))).toEqual([
    '0busy',
    '1free',
    '2free',
  ]);
  expect(hostTiles([gpus(0)], []).map(tileText)).toEqual(['not in use']);
});

it('shows what nothing can be placed on', () => {
  expect(uses(gpus(1, { unreachable: true }))).toEqual(['0unusable']);
  expect(uses(gpus(1, { health_status: 'failure' }))).toEqual(['0unusable']);
  expect(uses(gpus(1, { health_status: 'warning' }))).toEqual(['0free']);
  expect(uses(gpus(1, { status: 'provisioning' }))).toEqual(['0starting']);
});

it('leaves out instances that have ended, and gives each its jobs', () => {
  const [first, second] = [anInstance('pool', 1), anInstance('pool', 0)];
  const ended = anInstance('pool', 2, { status: 'terminated' });
  const jobs = [{ instance_id: second.id, run_name: 'train' }] as FleetJob[];
  const tiles = hostTiles([first, ended, second], jobs);
  expect(tiles.map(({ instance, jobs }) => [instance.name, jobs.length])).toEqual([
    ['pool-0', 1],
    ['pool-1', 0],
  ]);
});
