import { type Backend, BackendError, type InstanceOrder, NoAnswerError } from '@dstack/backends';
import type {
  InstanceRecord,
  IntentPayload,
  IntentRecord,
  IntentResult,
  Offer,
  Signal,
  Timestamp,
  VolumeHandle,
  VolumeIntentPayload,
} from '@dstack/core';
import { BACKEND_MISSING, capabilitiesOf } from '@dstack/core';
import type { InstanceView, JobView, Store } from '@dstack/store';
import { type AgentClient, AgentRefusal } from '../hosts/agent-client.ts';
import type { LinkSupervisor } from '../hosts/supervisor/supervisor.ts';
import type { Logger } from '../logging.ts';
import type { PassEnding } from '../loops/work-queue.ts';
import type { ProjectBackends } from '../offers/project-backends.ts';
import { createInstance } from './create-instance.ts';
import type { Drain } from './drain.ts';
import { JobSpecError } from './named-secrets.ts';
import { NotNow } from './not-now.ts';
import { removeJob } from './remove-job.ts';
import type { JobStarter } from './start-job.ts';
import { volumeEffect } from './volume-effects.ts';

export interface EffectsOptions {
  readonly store: Store;
  readonly hosts: { client(hostId: string): AgentClient | null };
  readonly backends: ProjectBackends;
  readonly starter: JobStarter;
  readonly links: Pick<LinkSupervisor, 'follow' | 'hold' | 'forget'>;
  /** Id of the installation, for the owner tags of what backends create. */
  readonly serverId: string;
  /** Requests under way of a replica that is scaled down; see `drain.ts`. */
  readonly drain: Drain;
  /** Offers for an instance that no job asked for. */
  readonly fleetOffers: (instance: InstanceRecord) => Promise<readonly Offer[]>;
  readonly now: () => Timestamp;
  readonly log: Logger;
}

/**
 * Carries out announced effects. Each is safe to repeat: the agent knows jobs by id, backends know
 * machines by the intent's key, so an effect that a crash cut short is done again and adopts what
 * is there. Its result is written at once and by itself, and whoever decided it is woken.
 */
export function effects(options: EffectsOptions): (key: string) => Promise<PassEnding> {
  return async (key) => {
    const intent = await options.store.engine.announcedIntent(key);
    if (!intent) return { ending: 'done' };
    try {
      const result = await perform(options, intent);
      await finish(options, intent, result);
      return { ending: 'done' };
    } catch (error) {
      const refusal = refusalOf(error);
      if (!refusal) return { ending: 'retry', error: error instanceof NotNow ? null : error };
      options.log.warn({ intent: key, err: error }, 'effect refused');
      await finish(options, intent, refusal);
      return { ending: 'done' };
    }
  };
}

async function perform(options: EffectsOptions, intent: IntentRecord): Promise<IntentResult> {
  const { payload } = intent;
  if (payload.kind === 'instance.create') return await makeInstance(options, intent, payload);
  if (payload.kind === 'instance.terminate') return await endInstance(options, intent);
  if (isOfVolume(payload)) return await volumeEffect(options, intent, payload);
  const view = await options.store.jobs.byId(intent.subjectId);
  if (!view) return { kind: 'ok' };
  if (payload.kind === 'job.remove') {
    await removeFromHost(options, intent, payload.hostId);
    return { kind: 'ok' };
  }
  await jobEffect(options, intent.key, view, payload);
  return { kind: 'ok' };
}

function isOfVolume(payload: IntentPayload): payload is VolumeIntentPayload {
  return payload.kind.startsWith('volume.');
}

type JobPayload = Extract<IntentPayload, { kind: 'job.start' | 'job.release' | 'job.stop' }>;

async function jobEffect(options: EffectsOptions, key: string, view: JobView, payload: JobPayload) {
  const instance = view.job.instanceId
    ? (await options.store.instances.byId(view.job.instanceId))?.instance
    : null;
  if (!instance?.hostId) throw new NotNow('the job has no host yet');
  const agent = agentOf(options, instance.hostId);
  if (payload.kind === 'job.start') {
    return await options.starter.start(agent, view, instance, payload.hold);
  }
  if (payload.kind === 'job.release') return await options.starter.release(agent, view);
  const { grace, reason, message } = payload;
  if (grace && reason === 'scaled_down' && !options.drain.isDone(view.job, key)) {
    throw new NotNow('requests are under way');
  }
  await ignoringUnknown(agent.stopJob(view.job.id, { grace, reason, message }));
}

async function removeFromHost(
  options: EffectsOptions,
  { subjectId, createdAt }: IntentRecord,
  hostId: string,
): Promise<void> {
  const { reports, hosts } = options.store;
  const host = await hosts.byId(hostId);
  await removeJob({
    agent: agentOf(options, hostId),
    reports,
    jobId: subjectId,
    since: Math.max(createdAt, host?.since ?? 0),
    now: options.now(),
  });
}

async function makeInstance(
  options: EffectsOptions,
  intent: IntentRecord,
  payload: Extract<IntentPayload, { kind: 'instance.create' }>,
): Promise<IntentResult> {
  const view = await options.store.instances.byId(intent.subjectId);
  if (!view) return { kind: 'refused', reason: 'error', message: 'the instance was deleted' };
  const order = await orderFor(options, intent, view);
  if (capabilitiesOf(view.instance.backend).owner === 'user') {
    return await takeOver(options, view.instance, order);
  }
  return await createFromOffers(options, { intent, payload, view, order });
}

/** A machine that exists already: there is no offer to choose. */
async function takeOver(
  options: EffectsOptions,
  instance: InstanceRecord,
  order: Omit<InstanceOrder, 'offer'>,
): Promise<IntentResult> {
  const backend = await backendOf(options, instance);
  if (!backend?.instances) throw new Error(`backend ${instance.backend} has no instances`);
  const created = await backend.instances.create({ ...order, offer: null });
  return { kind: 'instance.created', offer: null, ...created };
}

async function createFromOffers(
  options: EffectsOptions,
  {
    intent,
    payload,
    view,
    order,
  }: {
    readonly intent: IntentRecord;
    readonly payload: Extract<IntentPayload, { kind: 'instance.create' }>;
    readonly view: InstanceView;
    readonly order: Omit<InstanceOrder, 'offer'>;
  },
): Promise<IntentResult> {
  const { store } = options;
  const offers =
    payload.offers.length > 0 ? payload.offers : await options.fleetOffers(view.instance);
  return await createInstance({
    offers,
    maxTries: payload.maxTries,
    totalOffers: Math.max(payload.totalOffers, offers.length),
    order,
    instanceName: view.instance.name,
    backend: (offer) => options.backends.find(view.instance.projectId, offer.backend),
    begin: async (remaining) => {
      if (remaining.length === payload.offers.length) return;
      const isOrdered = await store.engine.amendIntent(intent.key, {
        ...payload,
        offers: remaining,
      });
      if (!isOrdered) throw new NotNow('the order was withdrawn');
    },
    log: options.log,
  });
}

async function orderFor(
  { store, serverId }: EffectsOptions,
  intent: IntentRecord,
  { instance, projectName, fleetName }: InstanceView,
): Promise<Omit<InstanceOrder, 'offer'>> {
  const project = await store.projects.byId(instance.projectId);
  return {
    key: intent.key,
    instanceId: instance.id,
    owner: { server: serverId, project: projectName, fleet: fleetName, instance: instance.name },
    authorizedKeys: project ? [project.sshPublicKey] : [],
    tags: instance.profile?.tags ?? {},
    reservation: instance.requirements?.reservation ?? null,
    placementGroup: null,
    volumes: await volumesFor(store, instance),
    group: null,
  };
}

/** Of the job that the instance is created for: they fix its zone. */
async function volumesFor(
  { volumes }: Pick<Store, 'volumes'>,
  { provisioningJobId }: InstanceRecord,
): Promise<VolumeHandle[]> {
  const mounted = provisioningJobId === null ? [] : await volumes.ofJob(provisioningJobId);
  return mounted.flatMap(({ handle }) => (handle ? [handle] : []));
}

async function backendOf(
  { backends }: EffectsOptions,
  { backend, projectId }: InstanceRecord,
): Promise<Backend | null> {
  return backend && (await backends.find(projectId, backend));
}

async function endInstance(options: EffectsOptions, intent: IntentRecord): Promise<IntentResult> {
  const instance = (await options.store.instances.byId(intent.subjectId))?.instance;
  if (!instance?.handle) return { kind: 'ok' };
  const backend = await backendOf(options, instance);
  if (!backend?.instances) {
    const message = `backend ${instance.backend} is not configured any more; its machine lives on`;
    options.log.warn({ instance: instance.name }, message);
    return { kind: 'refused', reason: BACKEND_MISSING, message };
  }
  // An instance that shares its agent with others leaves the link as it is.
  const hasOwnAgent = instance.hostId === instance.id;
  if (hasOwnAgent && backend.capabilities.owner === 'provider')
    await options.links.hold(instance.id);
  const outcome = await backend.instances.release(instance.handle);
  if (outcome === 'releasing') throw new NotNow('the provider has not finished terminating it');
  if (hasOwnAgent) await options.links.forget(instance.id);
  return { kind: 'ok' };
}

function agentOf(options: EffectsOptions, hostId: string): AgentClient {
  const agent = options.hosts.client(hostId);
  if (!agent) throw new NotNow(`no link to host ${hostId}`);
  return agent;
}

/** A job the agent does not know has nothing left to stop or to remove. */
async function ignoringUnknown(command: Promise<unknown>): Promise<void> {
  try {
    await command;
  } catch (error) {
    if (!(error instanceof AgentRefusal && error.code === 'unknown_job')) throw error;
  }
}

/** Errors that no repetition can change; all others are tried again. */
function refusalOf(error: unknown): IntentResult | null {
  if (error instanceof JobSpecError) {
    return { kind: 'refused', reason: 'terminated_by_server', message: error.message };
  }
  if (error instanceof AgentRefusal && error.status === 400) {
    return { kind: 'refused', reason: 'executor_error', message: error.message };
  }
  // The decision to try again, and when, is made with the instance.
  if (error instanceof BackendError && !(error instanceof NoAnswerError)) {
    return { kind: 'refused', reason: 'error', message: error.message };
  }
  return null;
}

async function finish(options: EffectsOptions, intent: IntentRecord, result: IntentResult) {
  const failed = result.kind === 'refused' || result.kind === 'no-capacity';
  const error = failed ? result.message : null;
  const signals = await wakes(options.store, intent);
  const { engine } = options.store;
  await engine.finishIntent(intent.key, failed ? 'failed' : 'done', result, error, signals);
}

async function wakes(store: Store, intent: IntentRecord): Promise<Signal[]> {
  if (intent.kind === 'job.remove') return [];
  if (intent.kind.startsWith('job.')) {
    const view = await store.jobs.byId(intent.subjectId);
    return view ? [{ kind: 'run', id: view.run.id }] : [];
  }
  const { payload } = intent;
  if (isOfVolume(payload)) {
    const id = 'volumeId' in payload ? payload.volumeId : intent.subjectId;
    return [{ kind: 'volume', id }];
  }
  const instance = (await store.instances.byId(intent.subjectId))?.instance;
  if (!instance) return [];
  const cause = instance.provisioningJobId && (await store.jobs.byId(instance.provisioningJobId));
  return [
    { kind: 'instance', id: instance.id },
    ...(cause ? [{ kind: 'run' as const, id: cause.run.id }] : []),
  ];
}
