/** The queue of a pool, for people. */
import {
  formatOptionalTimestamp,
  formatTimestamp,
  HIDDEN_RUN,
  type KeptBackRun,
  type QueuedRun,
  type RunQueue,
  refusalText,
} from '@dstack/contract/wire';
import { type Forecast, forecastQueue, type Id, withBackends, withPastTimes } from '@dstack/core';
import type { PoolQueue } from '@dstack/store';
import type { Asker } from '../explain/service.ts';
import type { HttpDeps } from '../ports.ts';
import { visibleProjects } from '../visible-projects.ts';

export async function listQueue(
  deps: HttpDeps,
  { project, user }: Asker,
  limit: number,
): Promise<RunQueue> {
  const loaded = await deps.store.engine.loadPoolQueue(project.id, limit);
  const ids = await visibleProjects(deps, user);
  const isVisible = (id: string) => id === project.id || ids === null || ids.includes(id);
  const fleetIds = loaded.rights.get(project.id);
  const usable = new Set(
    loaded.instances.filter((one) => fleetIds?.has(one.fleetId)).map(({ id }) => id),
  );
  const first = forecastOf(deps, loaded).slice(0, limit);
  const runs = first.map((one, index): QueuedRun => {
    const { startsAt, isAbout, gang, shares } = one;
    const times = { expected_start: formatOptionalTimestamp(startsAt), is_about: isAbout };
    const places = shares
      .filter(({ instanceId }) => usable.has(instanceId))
      .map(({ instanceId, blocks }) => ({ instance_id: instanceId, blocks }));
    const max_duration = gang.jobs[0]?.timeLimit?.seconds ?? null;
    const shown = isVisible(gang.run.projectId) ? named(one, loaded) : NAMELESS;
    return { place: index + 1, ...shown, ...times, places, max_duration };
  });
  const { runs: kept_back, total: kept_back_total } = await keptBack(deps, project.id, limit);
  return { runs, total: Math.max(loaded.total, runs.length), kept_back, kept_back_total };
}

async function keptBack(deps: HttpDeps, projectId: Id, limit: number) {
  const { runs, total } = await deps.store.runs.keptBack(projectId, limit);
  return {
    total,
    runs: runs.map(
      ({ id, name, userName, priority, submittedAt, hold, waitsFor, isUnmet }): KeptBackRun => ({
        ...{ run_id: id, run: name, user: userName, priority },
        submitted_at: formatTimestamp(submittedAt),
        hold: hold && { by: hold.by, since: formatTimestamp(hold.since) },
        ...{ waits_for: [...waitsFor], is_unmet: isUnmet },
      }),
    ),
  };
}

function forecastOf(deps: HttpDeps, loaded: PoolQueue): Forecast[] {
  const ctx = deps.context();
  const snapshot = withBackends(withPastTimes(loaded, ctx), () => null);
  // The backends have refused the waiting runs; only their next answers can change that.
  return forecastQueue(snapshot, () => [], ctx, loaded.guesses);
}

type Shown = Omit<QueuedRun, 'place' | 'expected_start' | 'is_about' | 'places' | 'max_duration'>;

const NAMELESS: Shown = {
  ...{ run_id: null, run: HIDDEN_RUN, replica: null, project: null, user: null, nodes: null },
  ...{ priority: null, submitted_at: null, since: null, is_reserved: false, why: null },
};

function named({ gang: { run, jobs } }: Forecast, loaded: PoolQueue): Shown {
  const [first] = jobs;
  const isService = run.spec.configuration.type === 'service';
  return {
    run_id: run.id,
    run: run.name,
    replica: isService ? (first?.replicaNum ?? null) : null,
    project: loaded.projectNames[run.projectId] ?? null,
    user: loaded.userNames[run.userId] ?? null,
    nodes: jobs.length,
    priority: run.priority,
    submitted_at: formatOptionalTimestamp(run.submittedAt),
    since: formatOptionalTimestamp(first?.waitingSince ?? null),
    is_reserved: (first?.reserved ?? null) !== null,
    why: first?.refusal ? refusalText(first.refusal) : null,
  };
}
