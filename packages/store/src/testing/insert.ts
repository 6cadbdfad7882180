/** Inserts rows for tests in the way the server does. */
import type { FleetRecord, JobRecord, RunRecord } from '@dstack/core';
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

export const WAITING = {
  refusal: { kind: 'no-fleets' },
  waitingSince: 5,
  demand: 'small',
} as const;

/** A run whose only job waits for capacity. */
export async function insertWaiting(
  world: World,
  name: string,
  run: Partial<RunRecord> = {},
  job: Partial<JobRecord> = {},
) {
  const { priority = 0, submittedAt: queuedAt = 1 } = run;
  return await insertRun(world, { name, ...run }, [{ ...WAITING, priority, queuedAt, ...job }]);
}

export async function insertFleet(
  world: World,
  name: string,
  projectId = world.projectId,
  part: Partial<FleetRecord> = {},
) {
  const fleet = fleetRecord({ projectId, name, ...part });
  const instance = instanceRecord({ projectId, fleetId: fleet.id, hostId: `host-${name}` });
  await world.store.engine.createFleet({
    projectId,
    name: { exact: name },
    build: () => ({ fleet, instances: [instance] }),
  });
  return { fleet, instance };
}

/** A fleet with an instance of each number. */
export async function insertFleetWithNodes(
  world: World,
  part: { name: string; projectId?: string },
  nums = [0],
) {
  const fleet = fleetRecord({ projectId: world.projectId, ...part });
  const instances = nums.map((instanceNum) =>
    instanceRecord({ projectId: fleet.projectId, fleetId: fleet.id, instanceNum }),
  );
  await world.store.engine.createFleet({
    ...{ projectId: fleet.projectId, name: { exact: fleet.name } },
    build: () => ({ fleet, instances }),
  });
  return { fleet, instances };
}
