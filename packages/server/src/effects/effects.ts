/** Effects on machines, and all that effects are carried out with. */
import type { Backend } from '@dstack/backends';
import { isSshHost } from '@dstack/contract/status';
import {
  BACKEND_MISSING,
  type InstanceRecord,
  type IntentPayload,
  type IntentRecord,
  type IntentResult,
  type Offer,
  type Timestamp,
} from '@dstack/core';
import type { InstanceView, Store } from '@dstack/store';
import type { AgentClient } from '../hosts/agent-client.ts';
import type { Logger } from '../logging.ts';
import type { ProjectBackends } from '../offers/project-backends.ts';
import { createInstance } from './create-instance.ts';
import type { Drain } from './drain.ts';
import { NotNow } from './not-now.ts';
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

export async function makeInstance(
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

export async function deployHost(
  options: EffectsOptions,
  intent: IntentRecord,
): Promise<IntentResult> {
  const view = await options.store.instances.byId(intent.subjectId);
  return view ? await options.sshFleets.deploy(view.instance) : { kind: 'ok' };
}

export async function endInstance(
  options: EffectsOptions,
  intent: IntentRecord,
): Promise<IntentResult> {
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
