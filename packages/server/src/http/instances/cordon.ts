/** Cordons, drains and uncordons instances, as the API requests it. */
import { type DrainInstancesRequest, notExists, ruleError } from '@dstack/contract/api';
import { isInstanceActive } from '@dstack/contract/status';
import type { Instance } from '@dstack/contract/wire';
import {
  cordonInstance,
  type Decision,
  drainInstance,
  type InstanceSnapshot,
  isServerHost,
  type Timestamp,
  uncordonInstance,
} from '@dstack/core';
import type { InstanceView, ProjectRecord, UserRecord } from '@dstack/store';
import { onlyOnServerHost } from '../../callers/rights.ts';
import { actorOf } from '../event-actor.ts';
import { mapInTurns } from '../in-turns.ts';
import { wireInstance } from '../mapping/instance.ts';
import type { HttpDeps } from '../ports.ts';

interface Cordon {
  readonly names: readonly string[];
  readonly reason: string | null;
  readonly until: Timestamp | null;
  readonly seconds: number | null;
}

const SECOND = 1_000_000;

type Step = (snapshot: InstanceSnapshot) => Pick<Decision, 'changes' | 'signals'> | null;

export async function cordonInstances(
  deps: HttpDeps,
  project: ProjectRecord,
  { names, reason, until: at, seconds }: Cordon,
  user: UserRecord,
): Promise<Instance[]> {
  const { now } = deps.context();
  if (at !== null && seconds !== null) throw ruleError('Give `until` or `seconds`, not both');
  if (at !== null && at <= now) throw ruleError('`until` is over: give a time in the future');
  const until = seconds === null ? at : now + seconds * SECOND;
  const by = user.originalName ?? user.name;
  const cordon = { by, reason: reason || null, until };
  return await changeEach(deps, project, names, user, (snapshot) =>
    cordonInstance(snapshot, cordon, { actor: actorOf(user), now: deps.context().now }),
  );
}

/** All of several are cordoned before the first is drained, or jobs would move from one to the next. */
export async function drainInstances(
  deps: HttpDeps,
  project: ProjectRecord,
  { names, reason: given, seconds }: DrainInstancesRequest,
  user: UserRecord,
): Promise<Instance[]> {
  const by = user.originalName ?? user.name;
  const reason = given || null;
  const act = () => ({ actor: actorOf(user), now: deps.context().now });
  const cordon: Step = (snapshot) =>
    snapshot.instance.scheduling === null
      ? cordonInstance(snapshot, { by, reason, until: null }, act())
      : null;
  const drain: Step = (snapshot) => drainInstance(snapshot, { by, reason, seconds }, act());
  const steps = names.length > 1 ? [cordon, drain] : [drain];
  return await changeEach(deps, project, names, user, ...steps);
}

export async function uncordonInstances(
  deps: HttpDeps,
  project: ProjectRecord,
  names: readonly string[],
  user: UserRecord,
): Promise<Instance[]> {
  return await changeEach(deps, project, names, user, (snapshot) =>
    uncordonInstance(snapshot, { actor: actorOf(user), now: deps.context().now }),
  );
}

/** All names and rights are checked before the first write; each step is carried out on all instances before the next. Returns the instances as they are then. */
async function changeEach(
  deps: HttpDeps,
  project: ProjectRecord,
  names: readonly string[],
  user: UserRecord,
  ...steps: readonly Step[]
): Promise<Instance[]> {
  const { store } = deps;
  const found = await managedInstances(deps, project, names, user);
  for (const step of steps) {
    for (const { instance } of found) {
      await store.engine.updateInstance(instance.id, (snapshot) => {
        const { status, deleted } = snapshot.instance;
        return isInstanceActive(status) && !deleted ? step(snapshot) : null;
      });
    }
  }
  const changed = await store.instances.viewsByIds(found.map(({ instance }) => instance.id));
  const byId = new Map(changed.map((view) => [view.instance.id, view]));
  return await mapInTurns(
    found.map((view) => byId.get(view.instance.id) ?? view),
    (view) => wireInstance(view.instance, view),
  );
}

/** In the order of the names. Throws where one is unknown, or the user may not decide about it. */
async function managedInstances(
  { store }: HttpDeps,
  project: ProjectRecord,
  names: readonly string[],
  user: UserRecord,
): Promise<InstanceView[]> {
  const found = await store.instances.byNames(project.id, names);
  const byName = new Map(found.map((view) => [view.instance.name, view]));
  return [...new Set(names)].map((name) => {
    const view = byName.get(name);
    if (view === undefined) throw notExists(`Project ${project.name} has no instance ${name}`);
    if (isServerHost(view.instance.backend) && user.globalRole !== 'admin') {
      throw onlyOnServerHost(name);
    }
    return view;
  });
}
