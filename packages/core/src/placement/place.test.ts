import { describe, expect, it } from 'vitest';
import type { Offer, PlacementSnapshot } from '../model/index.ts';
import { requirementsMatch } from '../offers/match.ts';
import {
  aContext,
  aFleet,
  aGang,
  anInstance,
  anOffer,
  aRun,
  aSnapshot,
  changesOf,
  eventsOf,
  jobChange,
  localOffer,
  placed,
} from './testing.ts';
import { wantsBackendOffers } from './wants-offers.ts';

const CLOUD = aFleet('cloud');
const run = (patch: Partial<PlacementSnapshot>, offers: readonly Offer[] = [], ctx = aContext()) =>
  placed(aSnapshot(patch), offers, requirementsMatch, ctx);
const task = (name: string, configuration: object = {}) => aGang(aRun(name, configuration));

describe('a job on an existing instance', () => {
  const decision = run({
    fleets: [CLOUD],
    instances: [anInstance(CLOUD, 0)],
    gangs: [task('a')],
  });

  it('is provisioned at once, with its machine and share', () => {
    expect(jobChange(decision, 'job-a-0-0')).toMatchObject({
      status: 'provisioning',
      instanceId: 'cloud-0',
      claimedBlocks: 1,
      provisioningData: { hostname: '10.0.0.0' },
      runtimeData: { network_mode: 'bridge', gpu: null, cpu: null, memory: null },
    });
    const [instance] = changesOf(decision, 'instance.update');
    expect(instance?.set).toMatchObject({ status: 'busy', busyBlocks: 1 });
  });

  it('fixes the fleet of its run in the same transaction and wakes run and instance', () => {
    expect(changesOf(decision, 'run.update')).toEqual([
      { type: 'run.update', id: 'run-a', version: 1, set: { fleetId: 'fleet-cloud' } },
    ]);
    expect(decision.signals).toEqual(
      expect.arrayContaining([
        { kind: 'run', id: 'run-a' },
        { kind: 'instance', id: 'cloud-0' },
      ]),
    );
  });

  it('is told in the order of the audit log', () => {
    expect(eventsOf(decision)).toEqual([
      'Job assigned to instance. Instance blocks: 1/1 busy',
      'Job status changed SUBMITTED -> PROVISIONING',
      'Instance status changed IDLE -> BUSY',
    ]);
  });
});

describe('choosing among instances', () => {
  it('takes the cheapest one of all fleets, and asks no backend', () => {
    const other = aFleet('other');
    const snapshot = {
      fleets: [CLOUD, other],
      instances: [
        anInstance(CLOUD, 0, anOffer({ price: 2 })),
        anInstance(other, 0, anOffer({ price: 1 })),
      ],
      gangs: [task('a')],
    };
    expect(wantsBackendOffers(aSnapshot(snapshot))).toEqual([]);
    expect(jobChange(run(snapshot), 'job-a-0-0')?.instanceId).toBe('other-0');
  });

  it('prefers a dear instance that is there to a cheap new one', () => {
    const instances = [anInstance(CLOUD, 0, anOffer({ price: 3 }))];
    const decision = run({ fleets: [CLOUD], instances, gangs: [task('a')] }, [anOffer()]);
    expect(changesOf(decision, 'instance.insert')).toEqual([]);
    expect(jobChange(decision, 'job-a-0-0')?.instanceId).toBe('cloud-0');
  });

  it('fills the fullest instance first, so that room for large jobs is kept', () => {
    const big = anOffer({ gpus: 8 });
    const instances = [
      anInstance(CLOUD, 0, big, { totalBlocks: 4 }),
      anInstance(CLOUD, 1, big, { totalBlocks: 4, busyBlocks: 3, status: 'busy' }),
    ];
    const gang = task('a', { resources: { gpu: 2, cpu: '1..', memory: '1GB..' } });
    const decision = run({ fleets: [CLOUD], instances, gangs: [gang] });
    expect(jobChange(decision, 'job-a-0-0')).toMatchObject({
      instanceId: 'cloud-1',
      runtimeData: { network_mode: 'bridge', gpu: 2, cpu: 2, memory: 8 },
    });
  });

  it.each([
    ['unreachable', { unreachable: true }],
    ['unhealthy', { health: 'failure' as const }],
    ['terminating', { status: 'terminating' as const, totalBlocks: 4 }],
    ['still provisioning', { status: 'provisioning' as const, totalBlocks: 4 }],
    ['of unknown division', { totalBlocks: null }],
  ])('never takes one that is %s', (_what, patch) => {
    const instances = [anInstance(CLOUD, 0, anOffer(), patch)];
    const decision = run({ fleets: [CLOUD], instances, gangs: [task('a')] });
    expect(jobChange(decision, 'job-a-0-0')?.status).toBe('terminating');
  });

  it('keeps to the instances named, even if others are free', () => {
    const gang = task('a', { instances: [{ hostname: '10.0.0.1' }] });
    const free = [anInstance(CLOUD, 0), anInstance(CLOUD, 1)];
    const taken = run({ fleets: [CLOUD], instances: free, gangs: [gang] });
    expect(jobChange(taken, 'job-a-0-0')?.instanceId).toBe('cloud-1');
    const busy = [free[0]!, anInstance(CLOUD, 1, anOffer(), { status: 'busy', busyBlocks: 1 })];
    const refused = run({ fleets: [CLOUD], instances: busy, gangs: [gang] }, [anOffer()]);
    expect(jobChange(refused, 'job-a-0-0')?.terminationMessage).toMatch(/specified instances/);
  });
});

describe('new capacity', () => {
  it('is a planned instance with an announced effect; the job waits for it', () => {
    const offers = [anOffer({ price: 1 }), anOffer({ price: 2, availability: 'not_available' })];
    const decision = run({ fleets: [CLOUD], gangs: [task('a')] }, offers);
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

  it('takes the lowest free number of the fleet', () => {
    const busy = { status: 'busy' as const, busyBlocks: 1 };
    const instances = [0, 2].map((num) => anInstance(CLOUD, num, anOffer(), busy));
    const decision = run({ fleets: [CLOUD], instances, gangs: [task('a')] }, [anOffer()]);
    expect(changesOf(decision, 'instance.insert')[0]?.instance.name).toBe('cloud-1');
  });

  it('goes to the fleet with the cheapest offer', () => {
    const eu = aFleet('eu', { nodes: '0..', regions: ['EU-1'] });
    const offers = [anOffer({ price: 2 }), anOffer({ price: 1, region: 'eu-1' })];
    const us = aFleet('us', { nodes: '0..', regions: ['us-east-1'] });
    const decision = run({ fleets: [us, eu], gangs: [task('a')] }, offers);
    expect(changesOf(decision, 'run.update')[0]?.set.fleetId).toBe('fleet-eu');
  });

  it('makes exactly one machine for two runs in an empty fleet of one node', () => {
    const one = aFleet('one', { nodes: '0..1' });
    const decision = run({ fleets: [one], gangs: [task('a'), task('b')] }, [anOffer()]);
    expect(changesOf(decision, 'instance.insert')).toHaveLength(1);
    expect(jobChange(decision, 'job-b-0-0')).toMatchObject({
      status: 'terminating',
      terminationReason: 'failed_to_start_due_to_no_capacity',
      terminationMessage: 'Fleet one is at capacity (nodes.max is 1)',
    });
  });

  it('is not made for runs that only reuse', () => {
    const gangs = [task('a', { creation_policy: 'reuse' })];
    expect(wantsBackendOffers(aSnapshot({ fleets: [CLOUD], gangs }))).toEqual([]);
    const decision = run({ fleets: [CLOUD], gangs }, [anOffer()]);
    expect(jobChange(decision, 'job-a-0-0')?.status).toBe('terminating');
  });

  it('is not tried where fleet and run exclude each other, and says on what', () => {
    const spot = aFleet('spot', { nodes: '0..', spot_policy: 'spot' });
    const gangs = [task('a', { spot_policy: 'on-demand' })];
    expect(wantsBackendOffers(aSnapshot({ fleets: [spot], gangs }))).toEqual([]);
    const decision = run({ fleets: [spot], gangs }, [anOffer({ spot: true })]);
    expect(jobChange(decision, 'job-a-0-0')?.terminationMessage).toMatch(/spot_policy/);
  });

  it('divides new machines as the fleet says', () => {
    const shared = aFleet('shared', { nodes: '0..', blocks: 4 });
    const gang = task('a', { resources: { gpu: 1, cpu: '1..', memory: '1GB..' } });
    const decision = run({ fleets: [shared], gangs: [gang] }, [anOffer({ gpus: 4 })]);
    expect(changesOf(decision, 'instance.insert')[0]?.instance).toMatchObject({
      totalBlocks: 4,
      busyBlocks: 1,
    });
  });

  it('asks once for any number of equal runs', () => {
    const gangs = ['a', 'b', 'c'].map((name) => task(name));
    expect(wantsBackendOffers(aSnapshot({ fleets: [CLOUD], gangs }))).toHaveLength(1);
  });
});

describe('a run without a place', () => {
  it('ends with the phrase that clients show as `no fleets` if the project has none', () => {
    const decision = run({ gangs: [task('a')] });
    const change = jobChange(decision, 'job-a-0-0');
    expect(change?.terminationMessage).toContain('No matching fleet found');
    expect(eventsOf(decision)[0]).toBe(
      'Job status changed SUBMITTED -> TERMINATING. Termination reason: ' +
        `FAILED_TO_START_DUE_TO_NO_CAPACITY (${change?.terminationMessage})`,
    );
    expect(decision.signals).toEqual([{ kind: 'run', id: 'run-a' }]);
  });

  it('names the fleets it was told to use', () => {
    const decision = run({ fleets: [CLOUD], gangs: [task('a', { fleets: ['other'] })] });
    expect(jobChange(decision, 'job-a-0-0')?.terminationMessage).toBe(
      'No matching fleet found: none of the specified fleets (other) is there',
    );
  });

  it('does not block those behind it', () => {
    const gangs = [task('big', { resources: { gpu: 'H100:8' } }), task('small')];
    const decision = run({ fleets: [CLOUD], instances: [anInstance(CLOUD, 0)], gangs });
    expect(jobChange(decision, 'job-big-0-0')?.status).toBe('terminating');
    expect(jobChange(decision, 'job-small-0-0')?.status).toBe('provisioning');
  });

  it('is told how many nodes it needs at once', () => {
    const ssh = aFleet('ssh', { placement: 'cluster', ssh_config: { hosts: ['h'], user: 'u' } });
    const decision = run({
      fleets: [ssh],
      instances: [anInstance(ssh, 0)],
      gangs: [task('a', { nodes: 2 })],
    });
    expect(jobChange(decision, 'job-a-0-0')?.terminationMessage).toBe(
      'Fleet ssh is at capacity: 2 nodes are needed at once',
    );
  });

  it('is told what its hosts lack', () => {
    const ssh = aFleet('ssh', { ssh_config: { hosts: ['h'], user: 'u' } });
    const gangs = [task('a', { resources: { cpu: '500..' } })];
    const decision = run({ fleets: [ssh], instances: [anInstance(ssh, 0)], gangs });
    expect(jobChange(decision, 'job-a-0-0')?.terminationMessage).toBe(
      'Fleet ssh is at capacity, instances: 1 without the cpu asked for',
    );
  });
});

describe('several nodes', () => {
  const cluster = aFleet('cluster', { nodes: '0..', placement: 'cluster' });
  const nodes = (count: number) => task('a', { nodes: count });

  it('need a fleet that is a cluster', () => {
    const instances = [0, 1].map((num) => anInstance(CLOUD, num));
    const decision = run({ fleets: [CLOUD], instances, gangs: [nodes(2)] }, [anOffer()]);
    for (const job of ['job-a-0-0', 'job-a-1-0']) {
      expect(jobChange(decision, job)?.terminationMessage).toContain('No matching fleet found');
    }
  });

  it('use what is there and make the rest in the same region', () => {
    const instances = [anInstance(cluster, 0, anOffer({ region: 'eu-1' }))];
    const offers = [anOffer({ price: 1 }), anOffer({ price: 5, region: 'eu-1' })];
    const decision = run({ fleets: [cluster], instances, gangs: [nodes(3)] }, offers);
    expect(jobChange(decision, 'job-a-0-0')?.instanceId).toBe('cluster-0');
    const intents = changesOf(decision, 'intent.insert').map((change) => change.intent.payload);
    expect(intents).toHaveLength(2);
    for (const payload of intents) {
      expect(payload).toMatchObject({ offers: [{ region: 'eu-1' }] });
    }
  });

  it('leave those after them the backends, if they take the seat that was free', () => {
    const instances = [anInstance(cluster, 0)];
    const gangs = [nodes(2), task('b', { resources: { cpu: '4..' } })];
    const decision = run({ fleets: [cluster], instances, gangs }, [anOffer()]);
    expect(jobChange(decision, 'job-a-0-0')?.instanceId).toBe('cluster-0');
    expect(changesOf(decision, 'instance.insert')).toHaveLength(2);
    expect(jobChange(decision, 'job-b-0-0')?.instanceId).toBe('new-1');
  });

  it('are all refused where one does not fit', () => {
    const two = aFleet('two', { nodes: '0..2', placement: 'cluster' });
    const decision = run({ fleets: [two], gangs: [nodes(3)] }, [anOffer()]);
    expect(changesOf(decision, 'instance.insert')).toEqual([]);
    expect(changesOf(decision, 'job.update')).toHaveLength(3);
  });

  it('share no network with the server itself, so it is no cluster', () => {
    const decision = run({ fleets: [cluster], gangs: [nodes(2)] }, [localOffer('docker')]);
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
    const decision = run({ fleets: [cluster], instances, gangs: [gang] });
    expect(jobChange(decision, 'job-a-0-0')?.instanceId).toBe('cluster-1');
    expect(jobChange(decision, 'job-a-1-0')?.instanceId).toBe('cluster-0');
    expect(jobChange(decision, 'job-a-1-0')?.runtimeData?.network_mode).toBe('host');
  });
});

describe("the server's own machine", () => {
  it('is not ruled out by bounds that nobody asked for', () => {
    const decision = run({ fleets: [CLOUD], gangs: [task('a')] }, [localOffer()]);
    expect(changesOf(decision, 'instance.insert')[0]?.instance.backend).toBe('local');
  });

  it('holds no more instances than the server allows, in all projects together', () => {
    const gangs = ['a', 'b', 'c'].map((name) => task(name));
    const decision = run(
      { fleets: [CLOUD], gangs, localInstances: 1 },
      [localOffer()],
      aContext({ localMaxInstances: 3 }),
    );
    expect(changesOf(decision, 'instance.insert')).toHaveLength(2);
    expect(jobChange(decision, 'job-c-0-0')?.status).toBe('terminating');
  });

  /** The machine's four GPUs as its backend offers them: all, then fewer, then none. */
  const gpuMachine = [4, 3, 2, 1, 0].map((gpus) => ({
    ...anOffer({ backend: 'local', region: 'local', name: 'local', price: 0, gpus }),
    backend_data: { machine_gpus: 4 },
  }));
  const gpusOf = (name: string, decision: ReturnType<typeof run>) => {
    const id = jobChange(decision, `job-${name}-0-0`)?.instanceId;
    const made = changesOf(decision, 'instance.insert').find(({ instance }) => instance.id === id);
    return made?.instance.offer?.instance.resources.gpus.length;
  };

  it('gives no GPU to two jobs', () => {
    const wants = { a: 2, b: '2..', c: '0..', d: 1 };
    const gangs = Object.entries(wants).map(([name, gpu]) => task(name, { resources: { gpu } }));
    const decision = run({ fleets: [CLOUD], gangs }, gpuMachine);
    expect(['a', 'b', 'c'].map((name) => gpusOf(name, decision))).toEqual([2, 2, 0]);
    expect(jobChange(decision, 'job-d-0-0')?.status).toBe('terminating');
    expect(jobChange(decision, 'job-d-0-0')?.terminationMessage).toContain('GPUs of this machine');
    const [create] = changesOf(decision, 'intent.insert').map(({ intent }) => intent.payload);
    expect(create).toMatchObject({ kind: 'instance.create', offers: [gpuMachine[2]] });
  });

  it('keeps an idle instance from a job while another has its GPUs', () => {
    const [all, , half] = gpuMachine;
    const idle = anInstance(CLOUD, 0, all);
    const busy = anInstance(CLOUD, 1, half, { status: 'busy', busyBlocks: 1 });
    const gangs = [task('a', { resources: { gpu: 4 } })];
    const taken = run({ fleets: [CLOUD], instances: [idle, busy], gangs }, gpuMachine);
    expect(jobChange(taken, 'job-a-0-0')?.status).toBe('terminating');
    const free = run({ fleets: [CLOUD], instances: [idle], gangs }, gpuMachine);
    expect(jobChange(free, 'job-a-0-0')?.instanceId).toBe(idle.id);
    expect(jobChange(free, 'job-a-0-0')?.runtimeData?.gpu).toBe(4);
  });

  it('counts the GPUs that jobs of other projects have', () => {
    const localBusy = [{ ...anInstance(CLOUD, 7, gpuMachine[1]), busyBlocks: 1 }];
    const gangs = [task('a', { resources: { gpu: '1..' } })];
    const decision = run({ fleets: [CLOUD], gangs, localBusy }, gpuMachine);
    expect(gpusOf('a', decision)).toBe(1);
  });

  it.each([
    ['docker', { image: null, docker: true }],
    ['privileged', { privileged: true }],
    ['registry_auth', { registry_auth: { username: 'u', password: 'p' } }],
  ])('without containers runs nothing that wants %s', (_what, configuration) => {
    const gangs = [task('a', configuration)];
    const none = run({ fleets: [CLOUD], gangs }, [localOffer('process')]);
    expect(changesOf(none, 'instance.insert')).toEqual([]);
    const some = run({ fleets: [CLOUD], gangs }, [localOffer('docker')]);
    expect(changesOf(some, 'instance.insert')).toHaveLength(1);
  });
});

describe('runs that wait for capacity', () => {
  const waiting = ['a', 'b'].map((name) => aRun(name, {}, { status: 'pending' }));

  it('are told in their order as far as there is room', () => {
    const decision = run({ fleets: [CLOUD], instances: [anInstance(CLOUD, 0)], waiting });
    expect(decision.changes).toEqual([]);
    expect(decision.signals).toEqual([{ kind: 'run', id: 'run-a' }]);
  });

  it('are not told of machines that a cloud may still refuse', () => {
    expect(run({ fleets: [CLOUD], waiting }, [anOffer()]).signals).toEqual([]);
  });

  it('come after what is submitted already', () => {
    const decision = run({
      fleets: [CLOUD],
      instances: [anInstance(CLOUD, 0)],
      waiting,
      gangs: [task('c')],
    });
    expect(decision.signals).not.toContainEqual({ kind: 'run', id: 'run-a' });
  });
});

it('replicas of a run stay in the fleet of the first', () => {
  const other = aFleet('other');
  const service = aRun('s', { type: 'service', port: 80, replicas: 2 });
  const decision = run({
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

it('a job that is being stopped is not placed', () => {
  const gang = aGang(aRun('a'), 0, { stopRequestedAt: 1 });
  const decision = run({ fleets: [CLOUD], instances: [anInstance(CLOUD, 0)], gangs: [gang] });
  expect(decision.changes).toEqual([]);
});
