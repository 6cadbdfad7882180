/** Requests of users that concern the place of runs in the queue. */
import {
  type HoldRunsRequest,
  notExists,
  ruleError,
  type SetRunPriorityRequest,
} from '@dstack/contract/api';
import { isRunAlive } from '@dstack/contract/status';
import {
  fieldChanges,
  holdRefusal,
  holdRun,
  isReleasable,
  recordEvent,
  releaseRun,
  runTarget,
} from '@dstack/core';
import type { ProjectRecord, RunView, UserRecord } from '@dstack/store';
import { actorOf } from '../event-actor.ts';
import type { HttpDeps } from '../ports.ts';

/** Throws `ApiError`, and holds none, if one of them does not exist or does not wait. */
export async function holdRuns(
  deps: HttpDeps,
  project: ProjectRecord,
  user: UserRecord,
  { runs_names: names }: HoldRunsRequest,
): Promise<void> {
  const views = await present(deps, project, names);
  for (const { run, jobs } of views) refuse(holdRefusal(run, jobs));
  for (const { run } of views) {
    await deps.store.engine.updateRun(run.id, (now) => {
      const wanted = { by: user.name, actor: actorOf(user), now: deps.context().now };
      return holdRun(now.run, wanted);
    });
  }
}

/** Throws `ApiError`, and releases none, if one of them does not exist or is not held. */
export async function releaseRuns(
  deps: HttpDeps,
  project: ProjectRecord,
  user: UserRecord,
  { runs_names: names }: HoldRunsRequest,
): Promise<void> {
  const views = await present(deps, project, names);
  for (const { run } of views) refuse(isReleasable(run) ? null : `Run ${run.name} is not held`);
  for (const { run } of views) {
    await deps.store.engine.updateRun(run.id, (now) =>
      releaseRun(now.run, { actor: actorOf(user), now: deps.context().now }),
    );
  }
}

/** In place, also while it runs: then it counts when the run waits again, and where runs have others leave. */
export async function setRunPriority(
  deps: HttpDeps,
  project: ProjectRecord,
  user: UserRecord,
  { run_name: name, priority }: SetRunPriorityRequest,
): Promise<void> {
  const [found] = await deps.store.runs.byNames(project.id, [name]);
  if (found === undefined) throw notExists(`Run ${name} not found`);
  await deps.store.engine.updateRun(found.id, ({ run }) => {
    if (!isRunAlive(run.status)) {
      throw ruleError(`Run ${name} is ${run.status}, so its priority cannot be changed`);
    }
    if (run.priority === priority) return null;
    const spec = { ...run.spec, configuration: { ...run.spec.configuration, priority } };
    const fields = ['configuration.priority'];
    const event = recordEvent({
      action: 'run.updated',
      // Its jobs stay those of the present deployment.
      data: {
        deployment: run.deploymentNum,
        fields,
        changes: fieldChanges(fields, run.spec, spec),
      },
      ...{ targets: [runTarget(run)], actor: actorOf(user) },
    });
    return {
      changes: [
        { type: 'run.update', id: run.id, version: run.version, set: { spec, priority } },
        { type: 'event', event },
      ],
      signals: [{ kind: 'run', id: run.id }],
    };
  });
}

async function present(
  deps: HttpDeps,
  project: ProjectRecord,
  names: readonly string[],
): Promise<RunView[]> {
  const views: RunView[] = [];
  for (const name of new Set(names)) {
    const view = await deps.store.runs.byName(project.id, name);
    if (view === null) throw notExists(`Run ${name} not found`);
    views.push(view);
  }
  return views;
}

function refuse(reason: string | null): void {
  if (reason !== null) throw ruleError(reason);
}
