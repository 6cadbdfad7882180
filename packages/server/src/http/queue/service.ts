/** The queue of a pool, for people. */
import {
  formatOptionalTimestamp,
  HIDDEN_RUN,
  type QueuedRun,
  type RunQueue,
  refusalText,
} from '@dstack/contract/wire';
import { type Forecast, forecastQueue, withBackends, withPastTimes } from '@dstack/core';
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
  const first = forecastOf(deps, loaded).slice(0, limit);
  const runs = first.map((one, index): QueuedRun => {
    const { startsAt, isAbout, gang } = one;
    const times = { expected_start: formatOptionalTimestamp(startsAt), is_about: isAbout };
    const shown = isVisible(gang.run.projectId) ? named(one, loaded) : NAMELESS;
    return { place: index + 1, ...shown, ...times };
  });
  return { runs, total: Math.max(loaded.total, runs.length) };
}

function forecastOf(deps: HttpDeps, loaded: PoolQueue): Forecast[] {
  const ctx = deps.context();
  const snapshot = withBackends(withPastTimes(loaded, ctx), () => null);
  // What waits has been refused by the backends; only their next answers can change that.
  return forecastQueue(snapshot, () => [], ctx);
}

type Shown = Omit<QueuedRun, 'place' | 'expected_start' | 'is_about'>;

const NAMELESS: Shown = {
  ...{ run: HIDDEN_RUN, replica: null, project: null, user: null, nodes: null },
  ...{ priority: null, submitted_at: null, since: null, is_reserved: false, why: null },
};

function named({ gang: { run, jobs } }: Forecast, loaded: PoolQueue): Shown {
  const [first] = jobs;
  const isService = run.spec.configuration.type === 'service';
  return {
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
