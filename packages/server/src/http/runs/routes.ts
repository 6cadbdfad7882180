import type { On } from '../call.ts';
import { actorOf } from '../event-actor.ts';
import { isOurClient } from '../our-client.ts';
import type { HttpDeps } from '../ports.ts';
import { applyRun } from './apply.ts';
import { deleteEnded } from './delete-runs.ts';
import { holdRuns, releaseRuns, setRunPriority } from './hold.ts';
import { getRunPlan } from './plan.ts';
import { rerunRun } from './rerun.ts';
import { changeRollout } from './rollout.ts';
import { getRun, listRuns, stopRuns } from './service.ts';

export function runRoutes(on: On, deps: HttpDeps): void {
  on('runs.list', ({ user, body }) => listRuns(deps, user, body));
  on('runs.get', ({ project, body }) => getRun(deps, project, body));
  on('runs.get_plan', (call) =>
    getRunPlan(deps, call.project, call.user, call.body, isOurClient(call)),
  );
  on('runs.apply', async (call) => {
    deps.files.admitWork();
    return applyRun(deps, call.project, call.user, call.body, isOurClient(call));
  });
  on('runs.stop', async ({ project, user, body }) => {
    await stopRuns(deps, project, { names: body.runs_names, abort: body.abort }, user);
    return null;
  });
  on('runs.rollout', async ({ project, user, body }) => {
    await changeRollout(deps, project, user, body);
    return null;
  });
  on('runs.hold', async ({ project, user, body }) => {
    await holdRuns(deps, project, user, body);
    return null;
  });
  on('runs.release', async ({ project, user, body }) => {
    await releaseRuns(deps, project, user, body);
    return null;
  });
  on('runs.set_priority', async ({ project, user, body }) => {
    await setRunPriority(deps, project, user, body);
    return null;
  });
  on('runs.rerun', async ({ project, user, body }) => {
    deps.files.admitWork();
    return rerunRun(deps, project, user, body);
  });
  on('runs.delete', async ({ project, user, body }) => {
    await deleteEnded(deps.store, project.id, { names: body.runs_names, actor: actorOf(user) });
    return null;
  });
}
