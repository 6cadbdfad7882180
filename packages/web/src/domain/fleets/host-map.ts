import { isInstanceActive, isInstanceAvailable, isInstanceStarting } from '@dstack/contract/status';
import type { FleetJob, Instance } from '@dstack/contract/wire';
import type { Tone } from '../../ui/status/tone.ts';
import { gpuCount, needsAttention } from './fleet-row.ts';

/** One GPU, one block, or the whole host if it has neither. */
export interface HostCell {
  readonly use: 'busy' | 'free' | 'starting' | 'unusable';
  /** Cells of a block stand together. */
  readonly block: number;
}

export interface HostTile {
  readonly instance: Instance;
  readonly cells: readonly HostCell[];
  /** The part of the host that one cell stands for. */
  readonly unit: 'GPU' | 'block' | 'host';
  readonly jobs: readonly FleetJob[];
}

/** More cells would be too small to see. */
const MOST_CELLS = 64;

/** A tile for each instance that has not ended, in the order of their numbers. */
export function hostTiles(
  instances: readonly Instance[],
  jobs: readonly FleetJob[],
): readonly HostTile[] {
  const byInstance = Map.groupBy(jobs, ({ instance_id }) => instance_id);
  return instances
    .filter(({ status }) => isInstanceActive(status))
    .toSorted((a, b) => a.instance_num - b.instance_num)
    .map((instance) => ({
      instance,
      ...cellsOf(instance),
      jobs: byInstance.get(instance.id) ?? [],
    }));
}

function cellsOf(instance: Instance): Pick<HostTile, 'cells' | 'unit'> {
  const gpus = gpuCount(instance);
  const blocks = Math.max(1, instance.total_blocks ?? 1);
  const unit = gpus > 0 ? 'GPU' : blocks > 1 ? 'block' : 'host';
  const count = Math.min(MOST_CELLS, gpus > 0 ? gpus : blocks);
  const cells = Array.from({ length: count }, (_, index): HostCell => {
    const block = Math.floor((index * blocks) / count);
    return { block, use: useOf(instance, block) };
  });
  return { cells, unit };
}

function useOf(instance: Instance, block: number): HostCell['use'] {
  if (isInstanceStarting(instance.status)) return 'starting';
  if (block < instance.busy_blocks) return 'busy';
  return !isInstanceAvailable(instance.status) || isUnusable(instance) ? 'unusable' : 'free';
}

const isUnusable = (instance: Instance): boolean =>
  needsAttention(instance) && instance.health_status !== 'warning';

export const CELL_TONES: Readonly<Record<HostCell['use'], Tone>> = {
  busy: 'running',
  free: 'done',
  starting: 'starting',
  unusable: 'failed',
};

/** `3 of 8 GPUs in use`, the tile in words. */
export function tileText({ cells, unit }: HostTile): string {
  const busy = cells.filter(({ use }) => use === 'busy').length;
  if (unit === 'host') return busy > 0 ? 'in use' : 'not in use';
  return `${busy} of ${cells.length} ${unit}${cells.length === 1 ? '' : 's'} in use`;
}
