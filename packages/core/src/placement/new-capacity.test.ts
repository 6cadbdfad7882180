import { describe, expect, it } from 'vitest';
import { wantsBackendOffers } from './look-ahead.ts';
import {
  aFleet,
  anInstance,
  anOffer,
  aSnapshot,
  CLOUD,
  changesOf,
  eventsOf,
  jobChange,
  NOW,
  placed,
  refusedWith,
  task,
} from './testing.ts';

describe('new capacity', () => {
  it('is a planned instance with an announced effect; the job waits for it', () => {
    const offers = [anOffer({ price: 1 }), anOffer({ price: 2, availability: 'not_available' })];
    const decision = placed({ fleets: [CLOUD], gangs: [task('a')] }, offers);
    expect(jobChange(decision, 'job-a-0-0')).toEqual({ instanceId: 'new-0', claimedBlocks: 1 });
    expect(changesOf(decision, 'instance.insert')[0]?.instance).toMatchObject({
      name: 'cloud-0',
      status: 'pending',
      provisioningJobId: 'job-a-0-0',
      totalBlocks: 1,
      busyBlocks: 1,
      idleSeconds: 300,
    });
    const [intent] = changesOf(decision, 'intent.insert');
    expect(intent?.intent).toMatchObject({
      key: 'instance.create:new-0:0',
      payload: { offers: [{ price: 1 }], maxTries: 25, totalOffers: 2 },
    });
    expect(eventsOf(decision)).toEqual([
      'Instance created for job. Instance status: PENDING',
      'Job assigned to instance. Instance blocks: 1/1 busy',
    ]);
    expect(decision.signals).toContainEqual({ kind: 'intent', id: 'instance.create:new-0:0' });
  });

  it('is not awaited from backends in which this server creates no machines', () => {
    const offers = [anOffer({ availability: 'not_available' })];
    const offersOnly = new Set(['aws'] as const);
    const decision = placed({ fleets: [CLOUD], gangs: [task('a')], offersOnly }, offers);
    expect(refusedWith(decision, 'job-a-0-0')).toBe(
      'No fleet can take the run (cloud: this server makes no machines in aws)',
    );
    const waiting = placed({ fleets: [CLOUD], gangs: [task('a')] }, offers);
    expect(refusedWith(waiting, 'job-a-0-0')).toBe(
      'Fleet cloud is at capacity: its one offer is not available now',
    );
  });

  it('is refused with the backends that did not answer, if the fleet may use them', () => {
    const text = 'it gave no offers: the connection was refused';
    const unreachable = [{ backend: 'kubernetes' as const, text }];
    const anywhere = placed({ fleets: [CLOUD], gangs: [task('a')], unreachable });
    expect(refusedWith(anywhere, 'job-a-0-0')).toBe(
      `No fleet can take the run (cloud: no offers match (kubernetes: ${text}))`,
    );
    const fleets = [aFleet('cloud', { nodes: '0..', backends: ['aws'] })];
    expect(refusedWith(placed({ fleets, gangs: [task('a')], unreachable }), 'job-a-0-0')).toBe(
      'No fleet can take the run (cloud: no offers match)',
    );
    const long = [{ backend: 'kubernetes' as const, text: 'x'.repeat(2_000) }];
    const refused = placed({ fleets: [CLOUD], gangs: [task('a')], unreachable: long });
    expect(refusedWith(refused, 'job-a-0-0')?.length).toBeLessThan(400);
  });

  it('waits in the queue of a backend that has one where all of its machines are in use', () => {
    const busy = anOffer({ backend: 'slurm', price: 0, availability: 'busy' });
    const waiting = placed({ fleets: [CLOUD], gangs: [task('a')] }, [busy]);
    expect(changesOf(waiting, 'intent.insert')[0]?.intent.payload).toMatchObject({
      offers: [{ backend: 'slurm' }],
    });
    const free = anOffer({ backend: 'slurm', name: 'free', price: 0 });
    const both = placed({ fleets: [CLOUD], gangs: [task('a')] }, [busy, free]);
    expect(changesOf(both, 'intent.insert')[0]?.intent.payload).toMatchObject({
      offers: [{ instance: { name: 'free' } }],
    });
    const refused = placed({ fleets: [CLOUD], gangs: [task('a')] }, [
      anOffer({ availability: 'busy' }),
    ]);
    expect(refusedWith(refused, 'job-a-0-0')).toMatch(/is not available now/);
  });

  it('waits in no queue where another fleet has a machine now', () => {
    const cluster = aFleet('cluster', { nodes: '0..', backends: ['slurm'] });
    const cloud = aFleet('aws', { nodes: '0..', backends: ['aws'] });
    const offers = [
      anOffer({ backend: 'slurm', price: 0, availability: 'busy' }),
      anOffer({ backend: 'aws', price: 2 }),
    ];
    const decision = placed({ fleets: [cluster, cloud], gangs: [task('a')] }, offers);
    expect(changesOf(decision, 'run.update')[0]?.set.fleetId).toBe('fleet-aws');
  });

  it('takes the lowest free number of the fleet', () => {
    const busy = { status: 'busy' as const, busyBlocks: 1 };
    const instances = [0, 2].map((num) => anInstance(CLOUD, num, anOffer(), busy));
    const decision = placed({ fleets: [CLOUD], instances, gangs: [task('a')] }, [anOffer()]);
    expect(changesOf(decision, 'instance.insert')[0]?.instance.name).toBe('cloud-1');
  });

  it('goes to the fleet with the cheapest offer', () => {
    const eu = aFleet('eu', { nodes: '0..', regions: ['EU-1'] });
    const offers = [anOffer({ price: 2 }), anOffer({ price: 1, region: 'eu-1' })];
    const us = aFleet('us', { nodes: '0..', regions: ['us-east-1'] });
    const decision = placed({ fleets: [us, eu], gangs: [task('a')] }, offers);
    expect(changesOf(decision, 'run.update')[0]?.set.fleetId).toBe('fleet-eu');
  });

  it('makes exactly one machine for two runs in an empty fleet of one node', () => {
    const one = aFleet('one', { nodes: '0..1' });
    const decision = placed({ fleets: [one], gangs: [task('a'), task('b')] }, [anOffer()]);
    expect(changesOf(decision, 'instance.insert')).toHaveLength(1);
    expect(refusedWith(decision, 'job-b-0-0')).toBe('Fleet one is at capacity: nodes.max is 1');
  });

  it('is not created for runs that only reuse instances', () => {
    const gangs = [task('a', { creation_policy: 'reuse' })];
    expect(wantsBackendOffers(aSnapshot({ fleets: [CLOUD], gangs }), NOW)).toEqual([]);
    const decision = placed({ fleets: [CLOUD], gangs }, [anOffer()]);
    expect(refusedWith(decision, 'job-a-0-0')).not.toBeNull();
  });

  it('is not tried if fleet and run exclude each other, and the refusal names the property', () => {
    const spot = aFleet('spot', { nodes: '0..', spot_policy: 'spot' });
    const gangs = [task('a', { spot_policy: 'on-demand' })];
    expect(wantsBackendOffers(aSnapshot({ fleets: [spot], gangs }), NOW)).toEqual([]);
    const decision = placed({ fleets: [spot], gangs }, [anOffer({ spot: true })]);
    expect(refusedWith(decision, 'job-a-0-0')).toMatch(/spot_policy/);
  });

  it('divides new machines as the fleet configures', () => {
    const shared = aFleet('shared', { nodes: '0..', blocks: 4 });
    const gang = task('a', { resources: { gpu: 1, cpu: '1..', memory: '1GB..' } });
    const decision = placed({ fleets: [shared], gangs: [gang] }, [anOffer({ gpus: 4 })]);
    expect(changesOf(decision, 'instance.insert')[0]?.instance).toMatchObject({
      totalBlocks: 4,
      busyBlocks: 1,
    });
  });

  it('asks once for any number of equal runs', () => {
    const gangs = ['a', 'b', 'c'].map((name) => task(name));
    expect(wantsBackendOffers(aSnapshot({ fleets: [CLOUD], gangs }), NOW)).toHaveLength(1);
  });
});
