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
  SECOND,
  type Timestamp,
} from '@dstack/core';
import type { NewHostAccess, Store } from '@dstack/store';
import type { LinkSupervisor } from '../hosts/supervisor/supervisor.ts';
import type { ProjectBackends } from '../offers/project-backends.ts';
import type { Logger } from '../process/logging.ts';
import type { WorkEnding } from '../queues/work-queue.ts';

export interface ObservationDeps {
  readonly store: Pick<Store, 'observations' | 'hosts' | 'projects'>;
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
    const found = await deps.store.observations.ofInstance(id);
    const instance = found?.instance;
    const known = found?.observation ?? undefined;
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
    const { record, access } = await ask(deps, instance, before);
    const isFirst = known === undefined;
    const signals = isFirst || isNews(before, record) ? [{ kind: 'instance' as const, id }] : [];
    if (isWorthStoring(known, record)) {
      await deps.store.observations.save(record, { signals, access });
    }
    if (record.observation.state === 'ready') await deps.links.follow(id);
    deps.arm('observation', id, inStep(record));
    return { ending: 'done' };
  };
}

/**
 * Instances that are in service are asked about in the same moments, so that what the server reads for the questions
 * is read once for all of them. None is asked about earlier than it is due, and none more than a second later.
 */
function inStep({ observation, nextPassAt }: ObservationRecord): Timestamp | null {
  if (nextPassAt === null || observation.state !== 'ready') return nextPassAt;
  return Math.ceil(nextPassAt / SECOND) * SECOND;
}

interface Answer {
  readonly record: ObservationRecord;
  /** How the agent is reached; null = not known, or known from an earlier answer. */
  readonly access: NewHostAccess | null;
}

async function ask(
  deps: ObservationDeps,
  instance: InstanceRecord,
  before: ObservationRecord,
): Promise<Answer> {
  const unanswered = (error: string): Answer => ({
    record: notObserved(before, error, deps.now()),
    access: null,
  });
  const backend =
    instance.backend && (await deps.backends.find(instance.projectId, instance.backend));
  if (!backend?.instances) return unanswered(`backend ${instance.backend} is not configured`);
  try {
    const answer = await observe(deps, instance, backend);
    const { watch, watchesPartly = false } = backend.instances;
    const isSettled = watch !== undefined && !watchesPartly;
    const record = observed(before, withoutAccess(answer), { now: deps.now(), isSettled });
    return { record, access: await newAccess(deps, instance, { before, answer }) };
  } catch (error) {
    deps.log.warn({ instance: instance.name, err: error }, 'instance not observed');
    return unanswered(errorMessage(error));
  }
}

async function observe(
  { store }: ObservationDeps,
  { handle, hostId, hostFacts }: InstanceRecord,
  { instances }: Backend,
): Promise<Observation> {
  if (!instances || !handle) return { state: 'missing' };
  const host = hostId === null ? null : await store.hosts.byId(hostId);
  return await instances.observe(handle, { facts: host?.facts ?? hostFacts });
}

function withoutAccess(answer: Observation): InstanceObservation {
  if (answer.state !== 'ready') return answer;
  const { state, machine } = answer;
  return { state, machine };
}

/** Stored along with the first answer that the instance is ready. */
async function newAccess(
  { store }: ObservationDeps,
  { id, projectId }: InstanceRecord,
  { before, answer }: { readonly before: ObservationRecord; readonly answer: Observation },
): Promise<NewHostAccess | null> {
  if (answer.state !== 'ready' || before.observation.state === 'ready') return null;
  const { access } = answer;
  if (!access) return null;
  if (access.kind === 'socket') {
    const { token: agentToken, path } = access;
    return { instanceId: id, agentToken, access: { kind: 'socket', path } };
  }
  if (access.kind === 'backend') {
    return { instanceId: id, agentToken: access.token, access: { kind: 'backend' } };
  }
  const login = { ...loginOf(access), privateKey: await projectKey(store, projectId) };
  return {
    instanceId: id,
    agentToken: randomBytes(32).toString('hex'),
    access: {
      ...{ kind: 'ssh', login, proxy: null, internalIp: null },
      vm: { hostKey: access.hostKey },
    },
  };
}

function loginOf({ hostname, port, user }: Extract<InstanceAccess, { kind: 'ssh' }>) {
  return { hostname, port, user };
}

async function projectKey(store: Pick<Store, 'projects'>, projectId: Id): Promise<string> {
  const key = await store.projects.privateKey(projectId);
  if (key === null) throw new Error('the project was deleted');
  return key;
}
