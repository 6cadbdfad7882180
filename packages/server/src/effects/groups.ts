/** Effects on placement and compute groups. */
import { BackendError, type GroupOrder, SkipOfferError } from '@dstack/backends';
import { BACKEND_MISSING, type GroupRecord, type IntentOf, type IntentResult } from '@dstack/core';
import type { GroupView } from '@dstack/store';
import type { EffectsOptions } from './effects.ts';
import { NotNow } from './not-now.ts';
import { tryOffers } from './try-offers.ts';

export async function createGroup(
  options: EffectsOptions,
  intent: IntentOf<'group.create'>,
): Promise<IntentResult> {
  const view = await options.store.groups.byId(intent.subjectId);
  if (!view) return { kind: 'refused', reason: 'error', message: 'the group was deleted' };
  const { group } = view;
  const order = orderFor(options, intent, view);
  if (group.kind === 'placement') {
    const groups = await groupsOf(options, group);
    if (!groups) throw new BackendError(`backend ${group.backend} creates no groups`);
    const handle = await groups.create({ ...order, offer: null });
    return { kind: 'group.created', handle, offer: null };
  }
  const { payload } = intent;
  const toTry = {
    ...{ offers: payload.offers, maxTries: payload.maxTries, totalOffers: payload.totalOffers },
    ...{ where: null, name: group.name, log: options.log },
    begin: (remaining: typeof payload.offers) => record(options, intent, remaining),
  };
  return await tryOffers(toTry, async (offer) => {
    const groups = (await options.backends.find(group.projectId, offer.backend))?.groups;
    if (!groups) throw new SkipOfferError('this server cannot create groups there');
    const handle = await groups.create({ ...order, region: offer.region, offer });
    return { kind: 'group.created', handle, offer };
  });
}

async function record(
  { store }: EffectsOptions,
  { key, payload }: IntentOf<'group.create'>,
  offers: IntentOf<'group.create'>['payload']['offers'],
): Promise<void> {
  if (offers.length === payload.offers.length) return;
  const isOrdered = await store.engine.amendIntent(key, { ...payload, offers });
  if (!isOrdered) throw new NotNow('the order was withdrawn');
}

function orderFor(
  { serverId }: EffectsOptions,
  { key }: IntentOf<'group.create'>,
  { group, projectName, fleetName }: GroupView,
): Omit<GroupOrder, 'offer'> {
  const { name, kind, region, memberIds } = group;
  const owner = { server: serverId, project: projectName, fleet: fleetName };
  return { key, name, kind, region, size: kind === 'compute' ? memberIds.length : null, owner };
}

async function groupsOf(
  { backends }: EffectsOptions,
  { projectId, backend }: Pick<GroupRecord, 'projectId' | 'backend'>,
) {
  return (backend && (await backends.find(projectId, backend))?.groups) || null;
}

export async function deleteGroup(
  options: EffectsOptions,
  intent: IntentOf<'group.delete'>,
): Promise<IntentResult> {
  const group = (await options.store.groups.byId(intent.subjectId))?.group;
  if (!group?.handle) return { kind: 'ok' };
  const groups = await groupsOf(options, group);
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
