/** Orders of instances that depend on their cluster or their gang. */
import { type Backend, SkipOfferError } from '@dstack/backends';
import {
  type Change,
  capabilitiesOf,
  type FleetRecord,
  type FleetSnapshot,
  type GroupRecord,
  type IntentPayload,
} from '@dstack/core';
import { anOffer, fleetRecord, groupRecord, instanceRecord } from '@dstack/core/testing';
import type { Store } from '@dstack/store';
import { describe, expect, it } from 'vitest';
import { isNeedless, siteOfOrder } from './cluster-order.ts';
import { placeInGroup } from './compute-group.ts';
import { NotNow } from './not-now.ts';
import { placementGroupOf } from './placement-group.ts';

const OFFER = anOffer({ region: 'eu-1' });
const configuration = { type: 'fleet', placement: 'cluster', nodes: { min: 0, max: null } };
const spec = { configuration, profile: null } as unknown as FleetRecord['spec'];
const MASTER = instanceRecord({ id: 'master', offer: OFFER });
const OTHER = instanceRecord({ id: 'other', instanceNum: 1, status: 'pending' });
const UNTRIED = {
  ...{ kind: 'instance.create', offers: [], maxTries: 1, totalOffers: 0 },
  untried: true,
} as const satisfies IntentPayload;

const signalled = expect.objectContaining({ isSignalled: true });

function fleetWith(part: Partial<FleetSnapshot> = {}) {
  const changes: Change[] = [];
  const snapshot: FleetSnapshot = {
    fleet: fleetRecord({ spec, masterInstanceId: MASTER.id }),
    ...{ projectName: 'main', projectDeleted: false, instances: [MASTER, OTHER], intents: [] },
    ...{ groups: [], activeRuns: 0, volumes: [], ...part },
  };
  const engine: Partial<Store['engine']> = {
    loadFleet: async () => snapshot,
    updateFleet: (async (_id: string, decide: (fleet: FleetSnapshot) => { changes: Change[] }) => {
      changes.push(...(decide(snapshot)?.changes ?? []));
    }) as unknown as Store['engine']['updateFleet'],
  };
  return { changes, store: { engine } as Pick<Store, 'engine'> };
}

describe('an instance of a cluster', () => {
  it('is created at the site of its master', async () => {
    const { store } = fleetWith();
    expect(await siteOfOrder(store, OTHER, UNTRIED)).toMatchObject({
      ...{ backend: 'aws', region: 'eu-1' },
    });
    expect(await siteOfOrder(store, MASTER, UNTRIED)).toBeNull();
  });

  it('waits, without another order, until its master is created', async () => {
    const planned = instanceRecord({ id: 'master', status: 'pending' });
    const { store } = fleetWith({ instances: [planned, OTHER] });
    await expect(siteOfOrder(store, OTHER, UNTRIED)).rejects.toEqual(signalled);
  });

  it('is searched at the site of its first attempt, wherever the cluster is by now', async () => {
    const { untried: _, ...tried } = UNTRIED;
    expect(await siteOfOrder(fleetWith().store, OTHER, tried)).toBeNull();
  });

  it('is not created once its job has ended, if no backend was asked', async () => {
    const jobs = (status: string) =>
      ({ jobs: { byId: async () => ({ job: { status } }) } }) as unknown as Pick<Store, 'jobs'>;
    const ofJob = { ...OTHER, provisioningJobId: 'job' };
    const { untried: _, ...tried } = UNTRIED;
    expect(await isNeedless(jobs('terminated'), ofJob, UNTRIED)).toBe(true);
    expect(await isNeedless(jobs('submitted'), ofJob, UNTRIED)).toBe(false);
    expect(await isNeedless(jobs('terminated'), ofJob, tried)).toBe(false);
    const ending = { ...OTHER, status: 'terminating' } as const;
    expect(await isNeedless(jobs('submitted'), ending, UNTRIED)).toBe(true);
  });
});

describe('the placement group of an order', () => {
  const at = (
    groups: readonly GroupRecord[],
    instance = MASTER,
    name: 'aws' | 'runpod' = 'aws',
  ) => {
    const { changes, store } = fleetWith({ groups });
    const backend = { groups: {}, capabilities: capabilitiesOf(name) } as unknown as Backend;
    const options = { store, now: () => 1, newId: () => 'new-group' };
    const asked = placementGroupOf(options, { createdAt: 0 }, instance, { offer: OFFER, backend });
    return { asked, changes };
  };
  const here = (part: Partial<GroupRecord>) => groupRecord({ region: 'eu-1', ...part });

  it('is ordered for the master, which waits for it', async () => {
    const { asked, changes } = at([]);
    await expect(asked).rejects.toEqual(signalled);
    expect(changes.map(({ type }) => type)).toEqual(['group.insert', 'intent.insert']);
  });

  it('is the existing one', async () => {
    expect(await at([here({})]).asked).toBe('main-cloud-group-1');
    expect(await at([here({})], OTHER).asked).toBe('main-cloud-group-1');
  });

  it('is awaited while it is being created', async () => {
    await expect(at([here({ status: 'creating' })], OTHER).asked).rejects.toEqual(signalled);
  });

  it('leads to another offer if it cannot be created', async () => {
    const failed = here({ status: 'failed', statusMessage: 'limit reached' });
    await expect(at([failed]).asked).rejects.toBeInstanceOf(SkipOfferError);
  });

  it('is none for instances that join a cluster without one, and for backends without groups', async () => {
    expect(await at([], OTHER).asked).toBeNull();
    expect(await at([], MASTER, 'runpod').asked).toBeNull();
  });
});

describe('an instance of a gang that is ordered together', () => {
  const member = { ...OTHER, groupId: 'group-1' };
  const placed = (group: Partial<GroupRecord> | null) => {
    const ofGang = { kind: 'compute', memberIds: ['master', 'other'], offer: OFFER } as const;
    const view = group && { group: groupRecord({ ...ofGang, ...group }) };
    return placeInGroup({ groups: { byId: async () => view } } as unknown as Store, member);
  };

  it('takes its place in the group, with the offer that the group was created from', async () => {
    expect(await placed({})).toEqual({
      ...{ kind: 'member', offer: OFFER },
      place: { handle: { id: 'pg-1', data: null }, rank: 1, size: 2 },
    });
  });

  it('waits until the group is created', async () => {
    const waiting = placed({ status: 'creating', handle: null, offer: null });
    await expect(waiting).rejects.toBeInstanceOf(NotNow);
  });

  it('finds no capacity if the group found none, and no machine in a group that ends', async () => {
    const failed = await placed({ status: 'failed', statusMessage: 'full' });
    expect(failed).toMatchObject({ result: { kind: 'no-capacity', message: 'full' } });
    for (const group of [{ status: 'deleting' } as const, null]) {
      expect(await placed(group)).toMatchObject({ kind: 'ended', result: { kind: 'refused' } });
    }
  });
});
