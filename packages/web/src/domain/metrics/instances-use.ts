import { isInstanceBusy } from '@dstack/contract/status';
import type { Instance, MeasuredUse } from '@dstack/contract/wire';
import type { RecentUse } from './recent-use.ts';

/** Busy instances. The use of larger fleets is not loaded: it would cost too much for a line in a list. */
const MOST = 200;

type UsedInstance = Pick<Instance, 'id' | 'status' | 'instance_type'>;

/** The instances whose use must be known: the others have no jobs. Sorted, so that equal lists are equal. */
export function measuredIds(instances: readonly UsedInstance[]): readonly string[] {
  const busy = instances.filter(({ status }) => isInstanceBusy(status)).map(({ id }) => id);
  return busy.length > MOST ? [] : busy.sort();
}

/**
 * How busy the instances were together: of all GPUs, or of all CPUs where none has a GPU. Idle ones count as
 * unused. Null: nothing was measured.
 */
export function usedTogether(
  instances: readonly UsedInstance[],
  uses: readonly MeasuredUse[],
): RecentUse | null {
  const hasGpus = instances.some((one) => gpus(one) > 0);
  const sizes = new Map(instances.map((one) => [one.id, hasGpus ? gpus(one) : cpus(one)]));
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const used = new Map<number, number>();
  for (const { instance_id, kind, timestamps, percents } of uses) {
    if ((kind === 'gpu') !== hasGpus) continue;
    const size = sizes.get(instance_id) ?? 0;
    timestamps.forEach((timestamp, index) => {
      const time = Date.parse(timestamp) / 1000;
      used.set(time, (used.get(time) ?? 0) + ((percents[index] ?? 0) / 100) * size);
    });
  }
  if (used.size === 0 || total === 0) return null;
  const points = [...used].sort(([a], [b]) => a - b);
  return {
    kind: hasGpus ? 'GPU' : 'CPU',
    times: points.map(([time]) => time),
    values: points.map(([, value]) => value / total),
  };
}

const gpus = ({ instance_type }: UsedInstance): number => instance_type?.resources.gpus.length ?? 0;

const cpus = ({ instance_type }: UsedInstance): number => instance_type?.resources.cpus ?? 1;
