/** The jobs on instances over time, for people. */
import {
  type BoardJob,
  type CapacityBoard,
  formatOptionalTimestamp,
  HIDDEN_RUN,
} from '@dstack/contract/wire';
import { type Id, knownEnd, type Timestamp } from '@dstack/core';
import type { PlacedJob } from '@dstack/store';
import type { Asker } from '../explain/service.ts';
import type { HttpDeps } from '../ports.ts';
import { visibleProjects } from '../visible-projects.ts';

/** The most jobs in one answer. Instances whose jobs are too many are named: a part of them would mislead. */
const MOST_JOBS = 2000;

/** Runs of other projects, which share the fleets, are named to those who may see them only. */
export async function capacityBoard(
  deps: HttpDeps,
  { project, user }: Asker,
  instanceIds: readonly Id[],
): Promise<CapacityBoard> {
  const { store } = deps;
  const { now } = deps.context();
  const usable = await usableInstances(deps, project.id, [...new Set(instanceIds)]);
  const { jobs: placed, incomplete } = await store.jobs.placed(usable, MOST_JOBS);
  const visible = await visibleProjects(deps, user);
  const names = await projectNames(deps, placed);
  const isVisible = (id: Id) => id === project.id || visible === null || visible.includes(id);
  const jobs = placed.map((job): BoardJob => {
    const named = {
      ...{ run_id: job.runId, run_name: job.runName, user_name: job.userName },
      ...{ project_name: names.get(job.projectId) ?? null, job_name: job.name },
    };
    return {
      instance_id: job.instanceId,
      ...(isVisible(job.projectId) ? named : NAMELESS),
      ...timesOf(job, now),
    };
  });
  return { jobs, incomplete: [...incomplete] };
}

const NAMELESS = {
  ...{ run_id: null, run_name: HIDDEN_RUN, project_name: null, user_name: null, job_name: null },
};

/** The instances of fleets that the project has or imports. */
async function usableInstances(
  { store }: HttpDeps,
  projectId: Id,
  ids: readonly Id[],
): Promise<Id[]> {
  const instances = (await store.instances.viewsByIds(ids)).map(({ instance }) => instance);
  const foreign = instances.filter((one) => one.projectId !== projectId);
  const imported = new Set<Id>();
  for (const fleetId of new Set(foreign.map((one) => one.fleetId))) {
    if (await store.exports.isImported('fleet', fleetId, [projectId])) imported.add(fleetId);
  }
  return instances
    .filter((one) => one.projectId === projectId || imported.has(one.fleetId))
    .map(({ id }) => id);
}

async function projectNames(
  { store }: HttpDeps,
  placed: readonly PlacedJob[],
): Promise<ReadonlyMap<Id, string>> {
  const ids = [...new Set(placed.map(({ projectId }) => projectId))];
  const projects = await store.projects.byIds(ids);
  return new Map(projects.map(({ id, name, originalName }) => [id, originalName ?? name]));
}

function timesOf(
  { blocks, provisionedAt, runningAt, timeLimit: limit, notice, instanceId }: PlacedJob,
  now: Timestamp,
): Pick<BoardJob, 'blocks' | 'since' | 'until' | 'leaves_at'> {
  const startedAt = provisionedAt ?? runningAt;
  const until =
    limit === null || startedAt === null
      ? null
      : knownEnd({ instanceId, blocks, startedAt, runningAt, limit }, now);
  return {
    blocks,
    since: formatOptionalTimestamp(startedAt),
    until: formatOptionalTimestamp(until),
    leaves_at: formatOptionalTimestamp(notice?.endsAt ?? null),
  };
}
