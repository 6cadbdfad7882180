/** Effects on placement and compute groups. */
import { type Backend, BackendError, type GroupOrder, SkipOfferError } from '@dstack/backends';
import { BACKEND_MISSING, type GroupRecord, type IntentOf, type IntentResult } from '@dstack/core';
import type { GroupView } from '@dstack/store';
import { containerOrder } from './container-order.ts';
import type { EffectsOptions } from './effects.ts';
import { NotNow } from './not-now.ts';
import { errorInDoubt, orderRecord } from './order-record.ts';
import { onPreparing } from './preparation.ts';
import { tryOffers } from './try-offers.ts';

/** The part of an order that does not depend on the offer. */
type OpenOrder = Omit<GroupOrder, 'offer'>;

export async function createGroup(
  options: EffectsOptions,
  intent: IntentOf<'group.create'>,
): Promise<IntentResult> {
  const view = await options.store.groups.byId(intent.subjectId);
  if (!view) return { kind: 'refused', reason: 'error', message: 'the group was deleted' };
  const { group } = view;
  const order = await orderFor(options, intent, view);
  return group.kind === 'placement'
    ? await createPlacementGroup(options, intent, group, order)
    : await createComputeGroup(options, intent, group, order);
}

async function createPlacementGroup(
  options: EffectsOptions,
  intent: IntentOf<'group.create'>,
  group: GroupRecord,
  order: OpenOrder,
): Promise<IntentResult> {
  const backend = await backendOf(options, group);
  if (!backend?.groups) throw new BackendError(`backend ${group.backend} creates no groups`);
  const record = orderRecord(options, intent);
  await record.asking(0, backend);
  try {
    const handle = await backend.groups.create({ ...order, offer: null });
    return { kind: 'group.created', handle, offer: null };
  } catch (error) {
    throw record.inDoubt(0) ? errorInDoubt(error) : error;
  }
}

async function createComputeGroup(
  options: EffectsOptions,
  intent: IntentOf<'group.create'>,
  group: GroupRecord,
  order: OpenOrder,
): Promise<IntentResult> {
  const { offers, maxTries, totalOffers } = intent.payload;
  const { log } = options;
  const record = orderRecord(options, intent);
  const toTry = {
    ...{ offers, maxTries, totalOffers, where: null, name: group.name, log },
    ...{ show: order.onPreparing ?? (() => {}), ...record },
  };
  return await tryOffers(toTry, async (offer, left) => {
    const backend = await options.backends.find(group.projectId, offer.backend);
    if (!backend?.groups) throw new SkipOfferError('this server cannot create groups there');
    await record.asking(left, backend);
    const handle = await backend.groups.create({ ...order, region: offer.region, offer });
    return { kind: 'group.created', handle, offer };
  });
}

async function orderFor(
  { store, serverId, defaultRegistry, log }: EffectsOptions,
  { key }: IntentOf<'group.create'>,
  { group, projectName, fleetName }: GroupView,
): Promise<OpenOrder> {
  const { name, kind, region, memberIds } = group;
  const [first] = kind === 'compute' ? await store.instances.byIds(memberIds.slice(0, 1)) : [];
  const container = first ? await containerOrder(store, first, defaultRegistry ?? null) : null;
  const owner = { server: serverId, project: projectName, fleet: fleetName, instance: '' };
  const size = kind === 'compute' ? memberIds.length : null;
  const preparing = onPreparing({ store, log }, memberIds);
  return { key, name, kind, region, size, owner, container, onPreparing: preparing };
}

async function backendOf(
  { backends }: EffectsOptions,
  { projectId, backend }: Pick<GroupRecord, 'projectId' | 'backend'>,
): Promise<Backend | null> {
  return backend && (await backends.find(projectId, backend));
}

export async function deleteGroup(
  options: EffectsOptions,
  intent: IntentOf<'group.delete'>,
): Promise<IntentResult> {
  const group = (await options.store.groups.byId(intent.subjectId))?.group;
  if (!group?.handle) return { kind: 'ok' };
  const groups = (await backendOf(options, group))?.groups;
  if (!groups) {
    const message = `backend ${group.backend} is not configured any more; the group lives on`;
    options.log.warn({ group: group.name }, message);
    return { kind: 'refused', reason: BACKEND_MISSING, message };
  }
  const agents = await ownAgents(options, group);
  for (const id of agents) await options.links.hold(id);
  const outcome = await groups.delete(group.handle);
  if (outcome === 'in-use') throw new NotNow('machines of the group are still there');
  for (const id of agents) await options.links.forget(id);
  return { kind: 'ok' };
}

/** Hosts that end with the group; there are none in a placement group. */
async function ownAgents(
  { store }: EffectsOptions,
  { memberIds }: GroupRecord,
): Promise<readonly string[]> {
  const members = await store.instances.byIds(memberIds);
  return members.flatMap(({ id, hostId }) => (hostId === id ? [id] : []));
}
