/** Effects on instances, and the parts that all effects use. */
import { type Backend, BusyError, type InstanceOrder } from '@dstack/backends';
import { isSshHost } from '@dstack/contract/status';
import {
  BACKEND_MISSING,
  type InstanceRecord,
  type IntentOf,
  type IntentRecord,
  type IntentResult,
  type Offer,
  siteText,
  type Timestamp,
  type VolumeHandle,
} from '@dstack/core';
import type { InstanceView, Store } from '@dstack/store';
import type { AgentClient } from '../hosts/agent-client.ts';
import type { LinkSupervisor } from '../hosts/supervisor/supervisor.ts';
import type { ProjectBackends } from '../offers/project-backends.ts';
import type { Logger } from '../process/logging.ts';
import { isNeedless, offersOfOrder, siteOfOrder } from './cluster-order.ts';
import { placeInGroup } from './compute-group.ts';
import { containerOrder } from './container-order.ts';
import { createInstance } from './create-instance.ts';
import type { Drain } from './drain.ts';
import { NotNow } from './not-now.ts';
import { orderRecord } from './order-record.ts';
import { placementGroupOf } from './placement-group.ts';
import { onPreparing } from './preparation.ts';
import type { JobStarter } from './start-job.ts';

export interface EffectsOptions {
  readonly store: Store;
  readonly hosts: { client(hostId: string): AgentClient | null };
  readonly backends: ProjectBackends;
  readonly starter: JobStarter;
  readonly links: Pick<LinkSupervisor, 'hold' | 'forget'>;
  /** Id of the installation, for the owner tags of what backends create. */
  readonly serverId: string;
  /** The registry of images without one; null = Docker Hub. */
  readonly defaultRegistry?: string | null;
  /** Requests under way of a replica that is scaled down; see `drain.ts`. */
  readonly drain: Drain;
  /** Offers for an instance without a job. */
  readonly fleetOffers: (instance: InstanceRecord) => Promise<readonly Offer[]>;
  readonly now: () => Timestamp;
  readonly newId: () => string;
  readonly log: Logger;
}

/** The part of an order that does not depend on the offer. */
type OpenOrder = Omit<InstanceOrder, 'offer' | 'placementGroup'>;

export async function makeInstance(
  options: EffectsOptions,
  intent: IntentOf<'instance.create'>,
): Promise<IntentResult> {
  const view = await options.store.instances.byId(intent.subjectId);
  if (!view) return { kind: 'refused', reason: 'error', message: 'the instance was deleted' };
  if (await isNeedless(options.store, view.instance, intent.payload)) {
    return { kind: 'refused', reason: 'error', message: 'the instance is not needed any more' };
  }
  const order = await orderFor(options, intent, view);
  if (isSshHost(view.instance.backend)) return await takeOver(options, view.instance, order);
  return await createFromOffers(options, { intent, view, order });
}

/** An existing machine: there is no offer to choose. */
async function takeOver(
  options: EffectsOptions,
  instance: InstanceRecord,
  order: OpenOrder,
): Promise<IntentResult> {
  const backend = await backendOf(options, instance);
  if (!backend?.instances) throw new Error(`backend ${instance.backend} has no instances`);
  const created = await backend.instances.create({ ...order, placementGroup: null, offer: null });
  return { kind: 'instance.created', offer: null, ...created };
}

async function createFromOffers(
  options: EffectsOptions,
  {
    intent,
    view,
    order,
  }: {
    readonly intent: IntentOf<'instance.create'>;
    readonly view: InstanceView;
    readonly order: OpenOrder;
  },
): Promise<IntentResult> {
  const { store } = options;
  const { instance } = view;
  const { payload } = intent;
  const inGroup = await placeInGroup(store, instance);
  if (inGroup.kind === 'ended') return inGroup.result;
  const isMember = inGroup.kind === 'member';
  const site = isMember ? null : await siteOfOrder(store, instance, payload);
  const known = payload.offers.length > 0 ? payload.offers : await options.fleetOffers(instance);
  const offers = isMember ? [inGroup.offer] : offersOfOrder(known, site);
  return await createInstance({
    offers,
    maxTries: payload.maxTries,
    totalOffers: Math.max(payload.totalOffers, offers.length),
    order: { ...order, group: isMember ? inGroup.place : null },
    where: site && siteText(site),
    name: instance.name,
    backend: (offer) => options.backends.find(instance.projectId, offer.backend),
    placementGroup: (offer, backend) =>
      placementGroupOf(options, intent, instance, { offer, backend }),
    ...orderRecord(options, intent),
    show: order.onPreparing ?? (() => {}),
    log: options.log,
  });
}

async function orderFor(
  { store, serverId, defaultRegistry, log }: EffectsOptions,
  intent: IntentRecord,
  { instance, projectName, fleet }: InstanceView,
): Promise<OpenOrder> {
  const project = await store.projects.byId(instance.projectId);
  return {
    key: intent.key,
    instanceId: instance.id,
    owner: { server: serverId, project: projectName, fleet: fleet.name, instance: instance.name },
    authorizedKeys: project ? [project.sshPublicKey] : [],
    tags: instance.profile?.tags ?? {},
    reservation: instance.requirements?.reservation ?? null,
    volumes: await volumesFor(store, instance),
    group: null,
    container: await containerOrder(store, instance, defaultRegistry ?? null),
    onPreparing: onPreparing({ store, log }, [instance.id]),
  };
}

/** The volumes of the job that the instance is created for: they determine its zone. */
async function volumesFor(
  { volumes }: Pick<Store, 'volumes'>,
  { provisioningJobId }: InstanceRecord,
): Promise<VolumeHandle[]> {
  const mounted = provisioningJobId === null ? [] : await volumes.ofJob(provisioningJobId);
  return mounted.flatMap(({ handle }) => (handle ? [handle] : []));
}

/** Null: the backend is no longer configured. */
async function backendOf(
  { backends }: EffectsOptions,
  { backend, projectId }: InstanceRecord,
): Promise<Backend | null> {
  return backend && (await backends.find(projectId, backend));
}

export async function endInstance(
  options: EffectsOptions,
  { key, subjectId, payload }: IntentOf<'instance.terminate'>,
): Promise<IntentResult> {
  const instance = (await options.store.instances.byId(subjectId))?.instance;
  if (!instance?.handle) return { kind: 'ok' };
  const backend = await backendOf(options, instance);
  if (!backend?.instances) {
    const message = `backend ${instance.backend} is not configured any more; its machine lives on`;
    options.log.warn({ instance: instance.name }, message);
    return { kind: 'refused', reason: BACKEND_MISSING, message };
  }
  // An instance that shares its agent with others keeps the link.
  const hasOwnAgent = instance.hostId === instance.id;
  const isCharged = backend.capabilities.owner === 'provider';
  if (hasOwnAgent && isCharged) await options.links.hold(instance.id);
  const { accepted: wasAccepted = false } = payload;
  const outcome = await backend.instances
    .release(instance.handle, { wasAccepted })
    .catch((error: unknown) => {
      throw error instanceof BusyError ? new NotNow(error.message) : error;
    });
  if (outcome === 'releasing') {
    // After a restart, a provider that knows no such machine is believed.
    if (!wasAccepted) await options.store.engine.amendIntent(key, { ...payload, accepted: true });
    throw new NotNow('the provider has not finished terminating it');
  }
  if (hasOwnAgent) await options.links.forget(instance.id);
  return { kind: 'ok' };
}
