/** Rows that tests begin with, written as the server writes them. */
import type { JobRecord, RunRecord } from '@dstack/core';
import { fleetRecord, instanceRecord, jobRecord, newEvent, runRecord } from './records.ts';
import type { World } from './stores.ts';

export async function insertRun(
  world: World,
  part: Partial<RunRecord>,
  jobs: Partial<JobRecord>[] = [],
) {
  const { projectId, userId } = world;
  const run = runRecord({ projectId, userId, ...part });
  const records = jobs.map((job) => jobRecord({ projectId: run.projectId, runId: run.id, ...job }));
  await world.store.engine.submitRun({
    projectId: run.projectId,
    name: { exact: run.name },
    build: () => ({ run, jobs: records }),
    superseded: () => newEvent('Run deleted'),
  });
  return { run, jobs: records };
}

export async function insertFleet(world: World, name: string, projectId = world.projectId) {
  const fleet = fleetRecord({ projectId, name });
  const instance = instanceRecord({ projectId, fleetId: fleet.id, hostId: `host-${name}` });
  await world.store.engine.createFleet({
    projectId,
    name: { exact: name },
    build: () => ({ fleet, instances: [instance] }),
  });
  return { fleet, instance };
}
