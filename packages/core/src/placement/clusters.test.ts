import { describe, expect, it } from 'vitest';
import type { InstanceRecord } from '../model/index.ts';
import {
  aFleet,
  aGang,
  anInstance,
  anOffer,
  aRun,
  changesOf,
  jobChange,
  placed,
  refusedWith,
  task,
} from './testing.ts';

const cluster = aFleet('cluster', { nodes: '0..', placement: 'cluster' });
const one = (name: string) => task(name);
const two = (name: string) => task(name, { nodes: 2 });

const PLANNED: Partial<InstanceRecord> = {
  ...{ status: 'pending', provisioningData: null, offer: null, handle: null },
  ...{ backend: null, region: '', provisioningJobId: 'job-of-another-run' },
};

const mastersOf = (decision: ReturnType<typeof placed>) =>
  changesOf(decision, 'fleet.update').map(({ set }) => set.masterInstanceId);

/** Where the new instances may be created, by their offers. */
const sitesOf = (decision: ReturnType<typeof placed>) =>
  changesOf(decision, 'intent.insert').flatMap(({ intent: { payload } }) =>
    payload.kind === 'instance.create'
      ? payload.offers.map((offer) => [offer.region, offer.availability_zones])
      : [],
  );

describe('a cloud cluster', () => {
  it('gets its master with its first instances, and orders that may have to wait for it', () => {
    const decision = placed({ fleets: [cluster], gangs: [two('a')] }, [anOffer()]);
    const [first, second] = changesOf(decision, 'instance.insert').map((one) => one.instance.id);
    expect(second).toBeDefined();
    expect(mastersOf(decision)).toEqual([first]);
    for (const { intent } of changesOf(decision, 'intent.insert')) {
      expect(intent.payload).toMatchObject({ untried: true });
    }
  });

  it('is decided once while it is created: later gangs wait for its first instance', () => {
    const decision = placed({ fleets: [cluster], gangs: [two('a'), one('b')] }, [anOffer()]);
    expect(changesOf(decision, 'instance.insert')).toHaveLength(2);
    expect(refusedWith(decision, 'job-b-0-0')).toContain('the first instance of its cluster');
    const starting = [anInstance(cluster, 0, anOffer(), PLANNED)];
    const later = placed({ fleets: [cluster], instances: starting, gangs: [one('b')] }, [
      anOffer(),
    ]);
    expect(jobChange(later, 'job-b-0-0')?.refusal).toMatchObject({ fleets: [{ verdict: 'full' }] });
  });

  it('that got its first instance gives a gang that waited for it a place, or another reason', () => {
    const decision = placed({ fleets: [cluster], gangs: [two('a'), one('b')] }, [anOffer()]);
    const { refusal } = jobChange(decision, 'job-b-0-0') ?? {};
    const busy = anInstance(cluster, 0, anOffer(), { status: 'busy', busyBlocks: 1 });
    const waiting = aGang(aRun('b'), 0, { refusal: refusal ?? null, waitingSince: 1 });
    const snapshot = { fleets: [cluster], instances: [busy], gangs: [waiting] };
    expect(changesOf(placed(snapshot, [anOffer()]), 'instance.insert')).toHaveLength(1);
    const full = placed(snapshot, []);
    expect(jobChange(full, 'job-b-0-0')?.refusal).toMatchObject({
      fleets: [{ growth: { rule: 'no_offers' } }],
    });
    expect(full.signals).toContainEqual({ kind: 'run', id: 'run-b' });
  });

  it('grows at the site of its master, in its zone, whatever is cheaper elsewhere', () => {
    const zoned = anInstance(cluster, 3, anOffer({ region: 'eu-1' }));
    const data = zoned.provisioningData && {
      ...zoned.provisioningData,
      availability_zone: 'eu-1b',
    };
    const busy = { status: 'busy', busyBlocks: 1 } as const;
    const instances = [
      anInstance(cluster, 1, anOffer({ region: 'us-1' }), busy),
      { ...zoned, ...busy, provisioningData: data },
    ];
    const fleet = { ...cluster, masterInstanceId: zoned.id };
    const offers = [
      anOffer({ region: 'us-1', price: 1 }),
      anOffer({ region: 'eu-1', price: 4, zones: ['eu-1a'] }),
      anOffer({ region: 'eu-1', price: 5, zones: ['eu-1a', 'eu-1b'] }),
    ];
    for (const gang of [one('a'), two('a')]) {
      const decision = placed({ fleets: [fleet], instances, gangs: [gang] }, offers);
      expect(new Set(sitesOf(decision).map(String))).toEqual(new Set(['eu-1,eu-1b']));
      expect(mastersOf(decision)).toEqual([]);
    }
  });

  it('follows a new master once the old one has ended', () => {
    const ended = anInstance(cluster, 0, anOffer({ region: 'us-1' }), { status: 'terminating' });
    const busy = { status: 'busy', busyBlocks: 1 } as const;
    const instances = [ended, anInstance(cluster, 1, anOffer({ region: 'eu-1' }), busy)];
    const fleet = { ...cluster, masterInstanceId: ended.id };
    const offers = [anOffer({ region: 'us-1' }), anOffer({ region: 'eu-1', price: 9 })];
    const decision = placed({ fleets: [fleet], instances, gangs: [one('a')] }, offers);
    expect(sitesOf(decision)).toEqual([['eu-1', null]]);
    expect(mastersOf(decision)).toEqual(['cluster-1']);
    const empty = placed({ fleets: [fleet], instances: [ended], gangs: [one('a')] }, offers);
    expect(sitesOf(empty).map(([region]) => region)).toContain('us-1');
  });

  it('without an offer at its site is refused with its site', () => {
    const busy = { status: 'busy', busyBlocks: 1 } as const;
    const instances = [anInstance(cluster, 0, anOffer({ region: 'eu-1' }), busy)];
    const decision = placed({ fleets: [cluster], instances, gangs: [one('a')] }, [
      anOffer({ region: 'us-1' }),
    ]);
    expect(refusedWith(decision, 'job-a-0-0')).toContain('its cluster is in aws/eu-1');
  });
});

it('a fleet that is not a cluster grows anywhere, for several runs at once', () => {
  const fleet = aFleet('pool', { nodes: '0..' });
  const instances = [anInstance(fleet, 0, anOffer({ region: 'eu-1' }), PLANNED)];
  const decision = placed({ fleets: [fleet], instances, gangs: [one('a'), one('b')] }, [
    anOffer({ region: 'us-1' }),
  ]);
  expect(sitesOf(decision)).toHaveLength(2);
  expect(mastersOf(decision)).toEqual([]);
  const [order] = changesOf(decision, 'intent.insert');
  expect(order?.intent.payload).not.toHaveProperty('untried');
});

describe('a backend that makes the machines of a gang together', () => {
  const pods = aFleet('pods', { nodes: '0..', placement: 'cluster' });
  const pod = anOffer({ backend: 'runpod', name: 'pod' });
  const groupsOf = (decision: ReturnType<typeof placed>) => changesOf(decision, 'group.insert');

  it('gets one order for all of them, with their ranks', () => {
    const decision = placed({ fleets: [pods], gangs: [two('a')] }, [pod]);
    const instances = changesOf(decision, 'instance.insert').map(({ instance }) => instance);
    const [made, ...others] = groupsOf(decision);
    expect(others).toEqual([]);
    expect(made?.group).toMatchObject({
      ...{ kind: 'compute', status: 'creating', backend: null, fleetId: pods.id },
      memberIds: instances.map(({ id }) => id),
    });
    expect(instances.map(({ groupId }) => groupId)).toEqual([made?.group.id, made?.group.id]);
    const orders = changesOf(decision, 'intent.insert').map(({ intent }) => intent);
    expect(orders.find(({ kind }) => kind === 'group.create')).toMatchObject({
      subjectId: made?.group.id,
      payload: { offers: [{ instance: { name: 'pod' } }], totalOffers: 1 },
    });
  });

  it('gets a plain order for a single node', () => {
    const decision = placed({ fleets: [pods], gangs: [one('a')] }, [pod]);
    expect(groupsOf(decision)).toEqual([]);
    const [made] = changesOf(decision, 'instance.insert');
    expect(made?.instance.groupId).toBeNull();
  });

  it('does not affect gangs for which another backend is chosen', () => {
    const decision = placed({ fleets: [pods], gangs: [two('a')] }, [anOffer()]);
    expect(groupsOf(decision)).toEqual([]);
  });
});
