/** The resources with this server's tag in an account, and which of them have a record. */
import { type Backend, type ListedInstance, placeOfKey } from '@dstack/backends';
import { isGatewayFailed } from '@dstack/contract/status';
import {
  isReportedElsewhere,
  type ListedThing,
  type OrphanRecord,
  type SweepInput,
} from '@dstack/core';
import type { Store } from '@dstack/store';

export async function listThings(backend: Backend, server: string): Promise<ListedThing[]> {
  const [of, owner] = [backend, { server }];
  const instances = (await of.instances?.list(owner)) ?? [];
  const volumes = (await of.volumes?.list(owner)) ?? [];
  const groups = (await of.groups?.list(owner)) ?? [];
  const gateways = (await of.gateways?.list(owner)) ?? [];
  return [
    ...instances.map((one) => thing('instance', one)),
    ...volumes.map((one) => ({ ...thing('volume', one), region: one.handle.region })),
    ...groups.map((one) => thing('group', one)),
    ...gateways.map((one) => ({ ...thing('gateway', one), region: one.region })),
  ];
}

function thing(kind: ListedThing['kind'], { handle, owner, key }: ListedInstance): ListedThing {
  const { id, data } = handle;
  const { project, fleet, instance } = owner;
  return { kind, handle: { id, data }, region: null, owner: { project, fleet, instance }, key };
}

/**
 * Call it after listing: every creation that was begun before has its intent in the database by
 * then, so a resource without a row and an intent was not created by this database.
 */
export async function accountFor(
  store: Pick<Store, 'sweeps' | 'engine' | 'instances' | 'volumes' | 'groups' | 'gateways'>,
  things: readonly ListedThing[],
  of: Pick<SweepInput, 'project' | 'backend' | 'now'> & {
    /** The orphans of all backends, since other projects may have the same account. */
    readonly orphans: readonly OrphanRecord[];
  },
): Promise<SweepInput['listed']> {
  if (things.length === 0) return [];
  const known = await store.sweeps.knownIds(of.backend);
  const listed: SweepInput['listed'][number][] = [];
  for (const thing of things) {
    const isAccountedFor =
      known[thing.kind].has(thing.handle.id) ||
      isReportedElsewhere(of.orphans, thing, of) ||
      (await isExpected(store, thing));
    listed.push({ thing, isAccountedFor });
  }
  return listed;
}

/** Its creation is under way, or its row has not received the result yet. */
async function isExpected(
  {
    engine,
    instances,
    volumes,
    groups,
    gateways,
  }: Pick<Store, 'engine' | 'instances' | 'volumes' | 'groups' | 'gateways'>,
  { key, handle, region }: ListedThing,
): Promise<boolean> {
  const place = key === null ? null : placeOfKey(key);
  if (place) return await isPlaceWanted(gateways, place, region);
  const intent = key === null ? null : await engine.intent(key);
  if (intent === null) return false;
  if (intent.state === 'announced') return true;
  const { result, subjectId } = intent;
  if (!result || !('handle' in result) || result.handle.id !== handle.id) return false;
  const { kind } = result;
  const rowOf = async () => {
    if (kind === 'group.created') return (await groups.byId(subjectId))?.group;
    if (kind === 'gateway.created') {
      const replica = await gateways.replicaById(subjectId);
      return replica ? { handle: replica.instanceId, deleted: replica.deleted } : undefined;
    }
    if (kind === 'volume.created') return (await volumes.byId(subjectId))?.volume;
    return (await instances.byId(subjectId))?.instance;
  };
  const row = await rowOf();
  return row !== undefined && row.handle === null && !row.deleted;
}

/**
 * Things that a replica keeps when its machine is replaced are wanted while there is such a replica in its region, or while one
 * is missing, which may take its place. `region`: null = that of the gateway.
 */
async function isPlaceWanted(
  gateways: Store['gateways'],
  { gatewayId, number }: NonNullable<ReturnType<typeof placeOfKey>>,
  region: string | null,
): Promise<boolean> {
  const view = await gateways.byId(gatewayId);
  if (view === null || view.gateway.deleted) return false;
  const { gateway, replicas } = view;
  const where = region ?? gateway.region;
  const living = replicas.filter(({ deleted }) => !deleted);
  const here = living.filter((one) => (one.region ?? gateway.region) === where);
  if (here.some(({ replicaNum }) => number === null || number === replicaNum)) return true;
  if (isGatewayFailed(gateway.status) || where !== gateway.region) return false;
  const staying = living.filter(({ scaleIn }) => !scaleIn);
  return number === null || staying.length < (gateway.configuration.replicas ?? 1);
}
