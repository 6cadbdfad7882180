import { randomBytes } from 'node:crypto';
import type { Backend, InstanceAccess, Observation } from '@dstack/backends';
import { errorMessage } from '@dstack/contract/error-message';
import { isInstanceActive } from '@dstack/contract/status';
import {
  expectedObservation,
  type Id,
  type InstanceObservation,
  type InstanceRecord,
  isNews,
  isWorthStoring,
  notObserved,
  type ObservationRecord,
  observed,
  type Timestamp,
} from '@dstack/core';
import type { Store } from '@dstack/store';
import type { LinkSupervisor } from '../hosts/supervisor/supervisor.ts';
import type { Logger } from '../logging.ts';
import type { WorkEnding } from '../loops/work-queue.ts';
import type { ProjectBackends } from '../offers/project-backends.ts';

export interface ObservationDeps {
  readonly store: Pick<Store, 'instances' | 'observations' | 'hosts' | 'hostAccess' | 'projects'>;
  readonly backends: Pick<ProjectBackends, 'find'>;
  readonly links: Pick<LinkSupervisor, 'follow'>;
  /** Another server is linked to the host. */
  readonly hosts: { isElsewhere(hostId: string): Promise<boolean> };
  readonly now: () => Timestamp;
  /** Sets or clears the alarm of the next observation. */
  readonly arm: (kind: 'observation', id: Id, at: Timestamp | null) => void;
  readonly log: Logger;
}

/**
 * Observes an instance at its backend and stores the answer for the pass of the instance, which
 * decides. Without an answer only the time of the next observation changes.
 */
export function observationPass(deps: ObservationDeps): (id: Id) => Promise<WorkEnding> {
  return async (id) => {
    const [instance] = await deps.store.instances.byIds([id]);
    const [known] = await deps.store.observations.byInstances([id]);
    if (!instance?.handle || !isInstanceActive(instance.status)) {
      if (known?.nextPassAt) await deps.store.observations.save({ ...known, nextPassAt: null });
      deps.arm('observation', id, null);
      return { ending: 'done' };
    }
    if (instance.hostId !== null && (await deps.hosts.isElsewhere(instance.hostId))) {
      // Its sweep finds it; this server's sweep looks at the host again.
      deps.arm('observation', id, null);
      return { ending: 'done' };
    }
    const before = known ?? expectedObservation(id, deps.now());
    const after = await ask(deps, instance, before);
    const isFirst = known === undefined;
    const signals = isFirst || isNews(before, after) ? [{ kind: 'instance' as const, id }] : [];
    if (isWorthStoring(known, after)) await deps.store.observations.save(after, { signals });
    deps.arm('observation', id, after.nextPassAt);
    return { ending: 'done' };
  };
}

async function ask(
  deps: ObservationDeps,
  instance: InstanceRecord,
  before: ObservationRecord,
): Promise<ObservationRecord> {
  const backend =
    instance.backend && (await deps.backends.find(instance.projectId, instance.backend));
  if (!backend?.instances) {
    return notObserved(before, `backend ${instance.backend} is not configured`, deps.now());
  }
  try {
    const observation = await observe(deps, instance, backend);
    const isSettled = backend.instances.watch !== undefined;
    return observed(before, observation, { now: deps.now(), isSettled });
  } catch (error) {
    deps.log.warn({ instance: instance.name, err: error }, 'instance not observed');
    const message = errorMessage(error);
    return notObserved(before, message, deps.now());
  }
}

async function observe(
  deps: ObservationDeps,
  instance: InstanceRecord,
  { instances }: Backend,
): Promise<InstanceObservation> {
  if (!instances || !instance.handle) return { state: 'missing' };
  const host = instance.hostId === null ? null : await deps.store.hosts.byId(instance.hostId);
  const facts = host?.facts ?? instance.hostFacts;
  const observation = await instances.observe(instance.handle, { facts });
  if (observation.state !== 'ready') return observation;
  if (observation.access) await storeAccess(deps, instance, observation.access);
  await deps.links.follow(instance.id);
  return withoutAccess(observation);
}

function withoutAccess({
  state,
  machine,
}: Extract<Observation, { state: 'ready' }>): InstanceObservation {
  return { state, machine };
}

/** Stores the access to the agent, once. */
async function storeAccess(
  { store }: ObservationDeps,
  { id, projectId }: InstanceRecord,
  access: InstanceAccess,
): Promise<void> {
  if ((await store.hostAccess.byId(id)) === null) {
    await store.hostAccess.add([
      access.kind === 'socket'
        ? {
            instanceId: id,
            agentToken: access.token,
            access: { kind: 'socket', path: access.path },
          }
        : {
            instanceId: id,
            agentToken: randomBytes(32).toString('hex'),
            access: {
              kind: 'ssh',
              login: { ...loginOf(access), privateKey: await projectKey(store, projectId) },
              proxy: null,
              internalIp: null,
            },
          },
    ]);
  }
}

function loginOf({ hostname, port, user }: Extract<InstanceAccess, { kind: 'ssh' }>) {
  return { hostname, port, user };
}

async function projectKey(store: Pick<Store, 'projects'>, projectId: Id): Promise<string> {
  const key = await store.projects.privateKey(projectId);
  if (key === null) throw new Error('the project was deleted');
  return key;
}
