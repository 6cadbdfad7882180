/** Deletes fleets and single instances, as far as the API requests it. */
import { setImmediate } from 'node:timers/promises';
import { ruleError } from '@dstack/contract/api';
import { isInstanceActive } from '@dstack/contract/status';
import { type InstanceRecord, isPlaceholder, terminateByUser, terminateFleet } from '@dstack/core';
import type { ProjectRecord, UserRecord } from '@dstack/store';
import { actorOf } from '../event-actor.ts';
import type { HttpDeps } from '../ports.ts';
import { checkEnding, checkLeaving } from './held-volumes.ts';

const hasWork = (instance: InstanceRecord): boolean =>
  instance.busyBlocks > 0 || isPlaceholder(instance);

/** Unknown names are ignored. A fleet is deleted once its last instance has been terminated. */
export async function deleteFleets(
  deps: HttpDeps,
  project: ProjectRecord,
  names: readonly string[],
  actor: UserRecord,
): Promise<void> {
  const found = await deps.store.fleets.byNames(project.id, names);
  for (const { fleet } of found) {
    await setImmediate();
    const users = await usersOf(deps, fleet.id, project);
    await deps.store.engine.updateFleet(fleet.id, (snapshot) => {
      if (snapshot.activeRuns > 0 || snapshot.instances.some(hasWork)) {
        throw inUse(fleet.name, users);
      }
      checkEnding(snapshot);
      return terminateFleet(snapshot.fleet, { actor: actorOf(actor), now: deps.context().now });
    });
  }
}

/** The fleet stays; if it needs more instances, it creates new ones. */
export async function deleteInstances(
  deps: HttpDeps,
  project: ProjectRecord,
  request: { readonly name: string; readonly instance_nums: readonly number[] },
  actor: UserRecord,
): Promise<void> {
  const [view] = await deps.store.fleets.byNames(project.id, [request.name]);
  // Unknown names are ignored, as in all deletions.
  if (view === undefined) return;
  const users = await usersOf(deps, view.fleet.id, project);
  await deps.store.engine.updateFleet(view.fleet.id, (snapshot) => {
    const chosen = snapshot.instances.filter(
      (instance) =>
        request.instance_nums.includes(instance.instanceNum) && isInstanceActive(instance.status),
    );
    if (chosen.some(hasWork)) throw inUse(view.fleet.name, users);
    checkLeaving(snapshot, chosen);
    if (chosen.length === 0) return null;
    return terminateByUser(chosen, { actor: actorOf(actor), now: deps.context().now });
  });
}

const RUNS_NAMED = 5;

/** ` by runs a, b and 2 more`; runs of projects that import the fleet are not named. */
async function usersOf(deps: HttpDeps, fleetId: string, project: ProjectRecord): Promise<string> {
  const { runs } = await deps.store.fleets.use(fleetId);
  const own = runs.filter((run) => run.projectId === project.id).map(({ name }) => name);
  const named = own.slice(0, RUNS_NAMED).join(', ');
  const more = own.length > RUNS_NAMED ? ` and ${own.length - RUNS_NAMED} more` : '';
  const foreign = runs.length - own.length;
  const parts = [
    ...(own.length === 0 ? [] : [`${own.length === 1 ? 'run' : 'runs'} ${named}${more}`]),
    ...(foreign === 0 ? [] : [`${foreign} ${foreign === 1 ? 'run' : 'runs'} of other projects`]),
  ];
  return parts.length === 0 ? '' : ` by ${parts.join(' and ')}`;
}

function inUse(name: string, by: string) {
  return ruleError(`Failed to delete fleet ${name}. Fleet is in use${by}.`);
}
