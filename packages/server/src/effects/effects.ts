import type { Backend } from '@dstack/backends';
import { isSshHost } from '@dstack/contract/status';
import type {
  InstanceRecord,
  IntentPayload,
  IntentRecord,
  IntentResult,
  Offer,
  Signal,
  Timestamp,
} from '@dstack/core';
import { BACKEND_MISSING } from '@dstack/core';
import type { InstanceView, JobView, Store } from '@dstack/store';
import { type AgentClient, AgentRefusal } from '../hosts/agent-client.ts';
import { HostNotReady } from '../hosts/ssh/ssh-fleets.ts';
import type { Logger } from '../logging.ts';
import type { PassEnding } from '../loops/work-queue.ts';
import type { ProjectBackends } from '../offers/project-backends.ts';
import { createInstance } from './create-instance.ts';
import type { Drain } from './drain.ts';
import { JobSpecError } from './named-secrets.ts';
import { NotNow } from './not-now.ts';
import { removeJob } from './remove-job.ts';
import type { JobStarter } from './start-job.ts';

export interface EffectsOptions {
  readonly store: Store;
  readonly hosts: { client(hostId: string): AgentClient | null };
  readonly backends: ProjectBackends;
  readonly starter: JobStarter;
  /** Hosts of one's own. `deploy` rejects with `HostNotReady` where another try may help. */
  readonly sshFleets: {
    deploy(instance: InstanceRecord): Promise<IntentResult>;
    remove(instance: InstanceRecord): Promise<IntentResult>;
  };
  /** Requests under way of a replica that is scaled down; see `drain.ts`. */
  readonly drain: Drain;
  /** Offers for an instance that no job asked for. */
  readonly fleetOffers: (instance: InstanceRecord) => Promise<readonly Offer[]>;
  readonly now: () => Timestamp;
  readonly log: Logger;
}

/** It is said elsewhere, with the host or the instance. */
const isExpected = (error: unknown): boolean =>
  error instanceof NotNow || error instanceof HostNotReady;

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
      if (!refusal) return { ending: 'retry', error: isExpected(error) ? null : error };
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
  if (payload.kind === 'host.deploy') return await deployHost(options, intent);
  const view = await options.store.jobs.byId(intent.subjectId);
  if (!view) return { kind: 'ok' };
  if (payload.kind === 'job.remove') {
    await removeFromHost(options, intent, payload.hostId);
    return { kind: 'ok' };
  }
  await jobEffect(options, intent.key, view, payload);
  return { kind: 'ok' };
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
  const { store } = options;
  const view = await store.instances.byId(intent.subjectId);
  if (!view) return { kind: 'refused', reason: 'error', message: 'the instance is gone' };
  const offers =
    payload.offers.length > 0 ? payload.offers : await options.fleetOffers(view.instance);
  return await createInstance({
    offers,
    maxTries: payload.maxTries,
    totalOffers: Math.max(payload.totalOffers, offers.length),
    order: await orderFor(store, intent, view),
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

async function orderFor(store: Store, intent: IntentRecord, view: InstanceView) {
  const project = await store.projects.byId(view.instance.projectId);
  return {
    key: intent.key,
    instanceId: view.instance.id,
    instanceName: view.instance.name,
    projectName: view.projectName,
    fleetName: view.fleetName,
    authorizedKeys: project ? [project.sshPublicKey] : [],
    tags: view.instance.profile?.tags ?? {},
  };
}

async function deployHost(options: EffectsOptions, intent: IntentRecord): Promise<IntentResult> {
  const view = await options.store.instances.byId(intent.subjectId);
  return view ? await options.sshFleets.deploy(view.instance) : { kind: 'ok' };
}

async function endInstance(options: EffectsOptions, intent: IntentRecord): Promise<IntentResult> {
  const instance = (await options.store.instances.byId(intent.subjectId))?.instance;
  if (instance && isSshHost(instance.backend)) return await options.sshFleets.remove(instance);
  if (!instance?.provisioningData || !instance.backend) return { kind: 'ok' };
  const backend: Backend | null = await options.backends.find(instance.projectId, instance.backend);
  if (!backend?.compute) {
    const message = `backend ${instance.backend} is not configured any more; its machine lives on`;
    options.log.warn({ instance: instance.name }, message);
    return { kind: 'refused', reason: BACKEND_MISSING, message };
  }
  const outcome = await backend.compute.terminateInstance(instance.provisioningData);
  if (outcome === 'pending') throw new NotNow('the provider has not finished terminating it');
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
  const instance = (await store.instances.byId(intent.subjectId))?.instance;
  if (!instance) return [];
  const cause = instance.provisioningJobId && (await store.jobs.byId(instance.provisioningJobId));
  return [
    { kind: 'instance', id: instance.id },
    ...(cause ? [{ kind: 'run' as const, id: cause.run.id }] : []),
  ];
}
