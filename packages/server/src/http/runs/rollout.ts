/** Requests of users about the rollout of a service. */
import { notExists, type RolloutRequest, ruleError } from '@dstack/contract/api';
import { isRunAlive } from '@dstack/contract/status';
import { pauseRollout, type Rollback, type RunRecord, resumeRollout, rollback } from '@dstack/core';
import type { ProjectRecord, UserRecord } from '@dstack/store';
import { actorOf } from '../event-actor.ts';
import type { HttpDeps } from '../ports.ts';

/** Throws `ApiError` if there is no such run, or nothing to do. */
export async function changeRollout(
  deps: HttpDeps,
  project: ProjectRecord,
  user: UserRecord,
  { run_name: name, action }: RolloutRequest,
): Promise<void> {
  const [found] = await deps.store.runs.byNames(project.id, [name]);
  if (found === undefined) throw notExists(`Run ${name} not found`);
  await deps.store.engine.updateRun(found.id, ({ run }) => {
    const decided = decide(run, action, user, deps.context().now);
    if (decided === null) throw ruleError(refusal(run, action));
    const { id, version } = run;
    return {
      changes: [
        { type: 'run.update', id, version, set: decided.set },
        { type: 'event', event: decided.event },
      ],
      signals: [{ kind: 'run', id }],
    };
  });
}

function decide(
  run: RunRecord,
  action: RolloutRequest['action'],
  user: UserRecord,
  now: number,
): Rollback | null {
  if (!isRunAlive(run.status)) return null;
  const actor = actorOf(user);
  if (action === 'undo') return rollback(run, `requested by ${user.name}`, actor);
  return action === 'pause' ? pauseRollout(run, actor) : resumeRollout(run, actor, now);
}

function refusal({ name, status, rollout }: RunRecord, action: RolloutRequest['action']): string {
  if (!isRunAlive(status)) return `Run ${name} is ${status}, so it has no rollout to ${action}`;
  if (rollout === null)
    return `Run ${name} has not been updated, so it has no rollout to ${action}`;
  return `The rollout of run ${name} is ${rollout.status}, so there is nothing to ${action}`;
}
