/** How busy instances were in the last minutes: what their jobs have used of them, in steps. */
import type { JobMetrics as Point } from '@dstack/contract/agent';
import { formatTimestamp, type MeasuredUse } from '@dstack/contract/wire';
import type { Id, InstanceRecord, Timestamp } from '@dstack/core';
import type { UserRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';
import { visibleProjects } from '../visible-projects.ts';

const SECOND = 1_000_000;
const STEP = 30 * SECOND;
const STEPS = 30;
/** Agents measure every ten seconds. CPU use is a difference of two points. */
const MOST_POINTS = (STEPS * STEP) / (10 * SECOND) + 1;
/** The most jobs in one answer. Instances with jobs beyond it are left out: partial figures would mislead. */
const MOST_JOBS = 200;

export async function useOfInstances(
  deps: HttpDeps,
  caller: UserRecord,
  instanceIds: readonly Id[],
): Promise<MeasuredUse[]> {
  const { store } = deps;
  const { now } = deps.context();
  const instances = await visibleInstances(deps, caller, [...new Set(instanceIds)]);
  const jobs = await store.jobs.onInstances(
    instances.map(({ id }) => id),
    MOST_JOBS + 1,
  );
  const incomplete = new Set(jobs.slice(MOST_JOBS).map(({ instanceId }) => instanceId));
  const uses: MeasuredUse[] = [];
  for (const instance of instances) {
    if (incomplete.has(instance.id)) continue;
    const ofInstance: (readonly Point[])[] = [];
    for (const { id, instanceId } of jobs) {
      if (instanceId !== instance.id) continue;
      const range = { after: now - STEPS * STEP, limit: MOST_POINTS };
      ofInstance.push(await store.metrics.jobPoints(id, range));
    }
    uses.push(useOfInstance(instance, ofInstance, now));
  }
  return uses;
}

async function visibleInstances(
  deps: HttpDeps,
  caller: UserRecord,
  ids: readonly Id[],
): Promise<InstanceRecord[]> {
  const { store } = deps;
  const projectIds = await visibleProjects(deps, caller);
  const instances = (await store.instances.viewsByIds(ids)).map(({ instance }) => instance);
  if (projectIds === null) return instances;
  const foreign = instances.filter(({ projectId }) => !projectIds.includes(projectId));
  const imported = new Set<Id>();
  for (const fleetId of new Set(foreign.map(({ fleetId }) => fleetId))) {
    if (await store.exports.isImported('fleet', fleetId, projectIds)) imported.add(fleetId);
  }
  return instances.filter(
    ({ projectId, fleetId }) => projectIds.includes(projectId) || imported.has(fleetId),
  );
}

/** `jobs`: the points of each, newest first. */
export function useOfInstance(
  instance: Pick<InstanceRecord, 'id' | 'provisioningData'>,
  jobs: readonly (readonly Point[])[],
  now: Timestamp,
): MeasuredUse {
  const resources = instance.provisioningData?.instance_type.resources;
  const gpus = resources?.gpus.length ?? 0;
  const total = gpus > 0 ? gpus : Math.max(1, resources?.cpus ?? 1);
  const used = gpus > 0 ? gpusUsed : cpusUsed;
  const first = Math.floor(now / STEP) - STEPS + 1;
  const sums = new Map<number, number>();
  for (const points of jobs) {
    for (const [step, value] of meansByStep(points, used)) {
      sums.set(step, (sums.get(step) ?? 0) + value);
    }
  }
  // The clock of a host may be ahead.
  const steps = [...sums.keys()].filter((step) => step >= first && step < first + STEPS);
  steps.sort((a, b) => a - b);
  return {
    instance_id: instance.id,
    kind: gpus > 0 ? 'gpu' : 'cpu',
    timestamps: steps.map((step) => formatTimestamp(step * STEP)),
    percents: steps.map((step) => percent((sums.get(step) ?? 0) / total)),
  };
}

/** Null: it follows only from two points. */
type Used = (point: Point, before: Point | undefined) => number | null;

const gpusUsed: Used = ({ gpus }) => gpus.reduce((sum, gpu) => sum + gpu.util_percent / 100, 0);

const cpusUsed: Used = (point, before) => {
  if (before === undefined) return null;
  const elapsed = point.timestamp_micro - before.timestamp_micro;
  const used = point.cpu_usage_micro - before.cpu_usage_micro;
  return elapsed <= 0 ? null : Math.max(0, used / elapsed);
};

function meansByStep(points: readonly Point[], used: Used): ReadonlyMap<number, number> {
  const values = new Map<number, number[]>();
  points.forEach((point, i) => {
    const value = used(point, points[i + 1]);
    if (value === null) return;
    const step = Math.floor(point.timestamp_micro / STEP);
    values.set(step, [...(values.get(step) ?? []), value]);
  });
  return new Map(
    [...values].map(([step, list]) => [
      step,
      list.reduce((sum, value) => sum + value, 0) / list.length,
    ]),
  );
}

/** One decimal. Jobs in blocks may use more CPU than their share, never more than there is. */
const percent = (share: number): number => Math.min(100, Math.round(share * 1000) / 10);
