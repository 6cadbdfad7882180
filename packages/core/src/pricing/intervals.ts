/** The priced intervals of instances and jobs, as their records describe them. */
import type {
  InstanceRecord,
  JobRecord,
  PricedInterval,
  RunRecord,
  Timestamp,
} from '../model/index.ts';
import { gpuNames } from './gpu-prices.ts';
import { knownPrice } from './price.ts';

/** Three years, as long as daily sums are kept. */
const LONGEST = 3 * 366 * 86_400_000_000;

/** Micro-dollars per hour. A price beyond it is a mistake of a provider or a user, and its sums would not be exact. */
const MOST_PRICE = 100_000_000_000;

/** The parts of a record that say what a machine costs. */
export type PricedInstance = Pick<
  InstanceRecord,
  'id' | 'projectId' | 'fleetId' | 'instanceNum' | 'name' | 'price' | 'offer' | 'totalBlocks'
> &
  Pick<InstanceRecord, 'startedAt' | 'finishedAt' | 'pricedSince'>;

export type PricedJob = Pick<JobRecord, 'id' | 'provisionedAt' | 'claimedBlocks'>;

export type PayingRun = Pick<RunRecord, 'id' | 'name' | 'projectId' | 'userId' | 'spec'>;

/** The interval that ends now; null if the machine never began, has ended before, or none of it has passed. */
export function instanceInterval(
  instance: PricedInstance,
  until: Timestamp,
): PricedInterval | null {
  const { id, projectId, startedAt, finishedAt } = instance;
  if (startedAt === null || finishedAt !== null) return null;
  const blocks = instance.totalBlocks ?? 1;
  const since = instance.pricedSince ?? startedAt;
  return ofTime({
    ...{ subjectId: id, run: null, projectId, ...machineOf(instance), blocks },
    ...{ since, until },
  });
}

/**
 * The same for a job that holds a part of the machine. It ends no later than its machine, and begins anew when the
 * price of its machine changes.
 */
export function jobInterval(
  job: PricedJob,
  run: PayingRun,
  instance: PricedInstance,
  until: Timestamp,
): PricedInterval | null {
  const { provisionedAt, claimedBlocks: blocks } = job;
  if (provisionedAt === null || blocks <= 0) return null;
  const { id, name, userId, projectId } = run;
  return ofTime({
    subjectId: job.id,
    run: { id, name, userId, tags: tagsOf(run.spec) },
    projectId,
    ...machineOf(instance),
    blocks,
    since: Math.max(provisionedAt, instance.pricedSince ?? provisionedAt),
    until: Math.min(until, instance.finishedAt ?? until),
  });
}

/**
 * A clock that was set back makes no time that is negative, and one that was decades behind when the job began makes no bill
 * of decades.
 */
function ofTime(interval: PricedInterval): PricedInterval | null {
  const since = Math.max(interval.since, interval.until - LONGEST);
  return interval.until > since ? { ...interval, since } : null;
}

function machineOf(instance: PricedInstance) {
  const names = instance.offer === null ? [] : gpuNames(instance.offer);
  const ending = `-${instance.instanceNum}`;
  const price = knownPrice(instance);
  return {
    fleetId: instance.fleetId,
    fleetName: instance.name.endsWith(ending)
      ? instance.name.slice(0, -ending.length)
      : instance.name,
    instanceId: instance.id,
    price: price !== null && price <= MOST_PRICE ? price : null,
    totalBlocks: instance.totalBlocks ?? 1,
    gpus: names.length,
    // Machines with several kinds are rare; their GPUs are counted under the first.
    gpu: instance.offer?.instance.resources.gpus[0]?.name ?? '',
  };
}

function tagsOf(spec: RunRecord['spec']): Readonly<Record<string, string>> {
  const { configuration, profile } = spec as Partial<RunRecord['spec']>;
  return { ...profile?.tags, ...configuration?.tags };
}
