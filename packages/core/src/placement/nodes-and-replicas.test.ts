import { describe, expect, it } from 'vitest';
import {
  aFleet,
  aGang,
  anInstance,
  anOffer,
  aRun,
  CLOUD,
  changesOf,
  jobChange,
  localOffer,
  placed,
  refusedWith,
  task,
} from './testing.ts';

describe('several nodes', () => {
  const cluster = aFleet('cluster', { nodes: '0..', placement: 'cluster' });
  const nodes = (count: number) => task('a', { nodes: count });

  it('need a fleet that is a cluster', () => {
    const instances = [0, 1].map((num) => anInstance(CLOUD, num));
    const decision = placed({ fleets: [CLOUD], instances, gangs: [nodes(2)] }, [anOffer()]);
    for (const job of ['job-a-0-0', 'job-a-1-0']) {
      expect(refusedWith(decision, job)).toContain('No matching fleet found');
    }
  });

  it('use existing instances and create the others in the same region', () => {
    const instances = [anInstance(cluster, 0, anOffer({ region: 'eu-1' }))];
    const offers = [anOffer({ price: 1 }), anOffer({ price: 5, region: 'eu-1' })];
    const decision = placed({ fleets: [cluster], instances, gangs: [nodes(3)] }, offers);
    expect(jobChange(decision, 'job-a-0-0')?.instanceId).toBe('cluster-0');
    const intents = changesOf(decision, 'intent.insert').map((change) => change.intent.payload);
    expect(intents).toHaveLength(2);
    for (const payload of intents) {
      expect(payload).toMatchObject({ offers: [{ region: 'eu-1' }] });
    }
  });

  it('leave those after them the backends, if they take the slot that was free', () => {
    const instances = [anInstance(cluster, 0)];
    const gangs = [nodes(2), task('b', { resources: { cpu: '4..' } })];
    const decision = placed({ fleets: [cluster], instances, gangs }, [anOffer()]);
    expect(jobChange(decision, 'job-a-0-0')?.instanceId).toBe('cluster-0');
    expect(changesOf(decision, 'instance.insert')).toHaveLength(2);
    expect(jobChange(decision, 'job-b-0-0')?.instanceId).toBe('new-1');
  });

  it('are all refused if one does not fit', () => {
    const two = aFleet('two', { nodes: '0..2', placement: 'cluster' });
    const decision = placed({ fleets: [two], gangs: [nodes(3)] }, [anOffer()]);
    expect(changesOf(decision, 'instance.insert')).toEqual([]);
    expect(changesOf(decision, 'job.update')).toHaveLength(3);
  });

  it('share no network with the server itself, so it is not a cluster', () => {
    const decision = placed({ fleets: [cluster], gangs: [nodes(2)] }, [localOffer('docker')]);
    expect(changesOf(decision, 'instance.insert')).toEqual([]);
  });

  it('find their machines whatever the order of groups', () => {
    const gang = task('a', {
      commands: [],
      groups: [
        { nodes: 1, commands: ['x'], resources: { cpu: '1..', memory: '1GB..' } },
        { nodes: 1, commands: ['x'], resources: { gpu: 'H100:1', memory: '1GB..' } },
      ],
    });
    const instances = [
      anInstance(cluster, 0, anOffer({ gpus: 1, price: 1 })),
      anInstance(cluster, 1, anOffer({ price: 2 })),
    ];
    const decision = placed({ fleets: [cluster], instances, gangs: [gang] });
    expect(jobChange(decision, 'job-a-0-0')?.instanceId).toBe('cluster-1');
    expect(jobChange(decision, 'job-a-1-0')?.instanceId).toBe('cluster-0');
    expect(jobChange(decision, 'job-a-1-0')?.runtimeData?.network_mode).toBe('host');
  });
});

it('replicas of a run stay in the fleet of the first', () => {
  const other = aFleet('other');
  const service = aRun('s', { type: 'service', port: 80, replicas: 2 });
  const decision = placed({
    fleets: [CLOUD, other],
    instances: [
      anInstance(CLOUD, 0, anOffer({ price: 2 })),
      anInstance(CLOUD, 1, anOffer({ price: 3 })),
      anInstance(other, 0, anOffer({ price: 1 })),
    ],
    gangs: [aGang(service, 0), aGang(service, 1)],
  });
  expect(changesOf(decision, 'run.update')).toHaveLength(1);
  expect(jobChange(decision, 'job-s-0-0')?.instanceId).toBe('cloud-0');
  expect(jobChange(decision, 'job-s-0-1')?.instanceId).toBe('cloud-1');
});
