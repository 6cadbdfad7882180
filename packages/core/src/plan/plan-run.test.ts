import { describe, expect, it } from 'vitest';
import type { Offer, VolumeRecord } from '../model/index.ts';
import {
  aFleet,
  anInstance,
  anOffer,
  answersOf,
  aSpec,
  localOffer,
  NOW,
} from '../placement/testing.ts';
import { volumeRecord } from '../testing/records.ts';
import { type PlanInput, planJobSpecs, planRun, planWantsOffers } from './index.ts';

const CLOUD = aFleet('cloud');

interface World extends Partial<PlanInput> {
  readonly offers?: readonly Offer[];
}

/** Plans a configuration, with answers to exactly the questions that the plan asks. */
function plan(configuration: object, world: World = {}) {
  const spec = aSpec('train', configuration);
  const built = planJobSpecs(spec);
  if (!built.ok) throw new Error(built.message);
  const input: PlanInput = {
    now: NOW,
    projectId: 'project-1',
    projectName: 'main',
    projectNames: {},
    fleets: [CLOUD],
    instances: [],
    serverHosts: [],
    volumes: [],
    offersOnly: new Set(),
    spec,
    jobSpecs: built.jobSpecs,
    settings: { localMaxInstances: 4 },
    known: world.offers,
    ...world,
  };
  const questions = planWantsOffers(input);
  return {
    ...planRun(input, answersOf(questions, world.offers ?? [])),
    questions,
  };
}

const names = (offers: readonly Offer[] = []) =>
  offers.map((offer) => `${offer.instance.name} ${offer.price} ${offer.availability}`);

describe('the outlook of a plan', () => {
  const free = anInstance(CLOUD, 0, anOffer({ price: 1 }));
  const busy = anInstance(CLOUD, 1, anOffer({ price: 1 }), { status: 'busy', busyBlocks: 1 });
  const gone = [anOffer({ availability: 'not_available' })];

  it.each([
    ['starts', 'on an instance that is free', {}, [free, busy], []],
    ['starts', 'on a new instance', {}, [busy], [anOffer()]],
    ['ends', 'where all that matches is busy', {}, [busy], []],
    ['ends', 'where the backends have nothing now', {}, [], gone],
    ['ends', 'where only a part of its nodes finds a place', { nodes: 2 }, [free, busy], []],
    ['waits', 'if it may', { retry: { on_events: ['no-capacity'] } }, [busy], []],
    ['ends', 'if it waits for other events', { retry: { on_events: ['error'] } }, [busy], []],
    [null, 'of a run that begins later', { schedule: { cron: '0 0 * * *' } }, [busy], []],
  ] as const)('is "%s" %s', (outlook, _where, configuration, instances, offers) => {
    const fleets = [{ ...CLOUD }];
    const planned = plan(configuration, { fleets, instances, offers });
    expect(planned.outlook).toBe(outlook);
    const isPlaced = planned.shares.length + planned.newInstances > 0;
    expect(isPlaced).toBe(planned.outlook === 'starts');
  });

  it('is none of a search, and of a service that begins with no replica', () => {
    const options = { forOffersOnly: true };
    expect(plan({}, { instances: [busy], options }).outlook).toBeNull();
    const scaling = { metric: 'rps', target: 1 };
    const service = { type: 'service', port: 80, commands: ['x'], replicas: '0..1', scaling };
    expect(plan(service, { instances: [busy] }).outlook).toBeNull();
  });
});

describe('the plan of a run on a fleet with maintenance', () => {
  const hosts = { ssh_config: { hosts: ['h'], user: 'u' } };
  const maintenance = { schedule: '0 2 * * *', duration: '4h' };
  const lab = aFleet('lab', { ...hosts, maintenance });
  const world = { fleets: [lab], instances: [anInstance(lab, 0)] };
  const at = (text: string) => Date.parse(`2023-11-15T${text}Z`) * 1000;

  it('contains the next window, unless the run surely ends before it', () => {
    const planned = plan({}, { ...world, now: at('00:00:00') });
    expect(planned.outlook).toBe('starts');
    expect(planned.notes).toContainEqual(
      expect.stringMatching(/^Fleet lab is in maintenance from 2023-11-15 02:00:00 UTC to .*06:00/),
    );
    const short = plan({ max_duration: '1h' }, { ...world, now: at('00:00:00') });
    expect(short.notes.join()).not.toContain('maintenance');
  });

  it('contains no window that is far ahead, unless the run is to last that long', () => {
    const monthly = aFleet('lab', {
      ...hosts,
      maintenance: { ...maintenance, schedule: '0 2 1 * *' },
    });
    const ahead = { fleets: [monthly], instances: [anInstance(monthly, 0)], now: at('00:00:00') };
    expect(plan({}, ahead).notes.join()).not.toContain('maintenance');
    expect(plan({ max_duration: '60d' }, ahead).notes.join()).toContain('maintenance');
    const near = { ...ahead, now: Date.parse('2023-11-25T00:00:00Z') * 1000 };
    expect(plan({}, near).notes.join()).toContain('maintenance');
  });

  it('is to wait within a window, without `retry` too, and has the cause', () => {
    const planned = plan({}, { ...world, now: at('03:00:00') });
    expect(planned.outlook).toBe('waits');
    expect(names(planned.jobPlans[0]?.offers)).toEqual([expect.stringMatching(/ busy$/)]);
    expect(planned.notes).toContainEqual(
      expect.stringMatching(/^Fleet lab cannot take the run now: instances: 1 in maintenance from/),
    );
  });
});

describe('offers of a plan', () => {
  const busy = { status: 'busy' as const, busyBlocks: 1 };
  const instances = [
    anInstance(CLOUD, 0, anOffer({ name: 'busy', price: 1 }), busy),
    anInstance(CLOUD, 1, anOffer({ name: 'idle', price: 4 })),
  ];
  const offers = [
    anOffer({ name: 'none', price: 1, availability: 'not_available' }),
    anOffer({ name: 'new', price: 2 }),
  ];

  it('name available ones first, existing before new within each', () => {
    const [job] = plan({}, { instances, offers }).jobPlans;
    expect(names(job?.offers)).toEqual([
      'idle 4 idle',
      'new 2 available',
      'busy 1 busy',
      'none 1 not_available',
    ]);
    expect(job).toMatchObject({ total_offers: 4, max_price: 4 });
  });

  it('name the node on which an instance is, also if another one was ordered', () => {
    const ordered = anInstance(CLOUD, 0, anOffer({ name: 'ordered', price: 1 }), busy);
    const data = ordered.provisioningData as NonNullable<typeof ordered.provisioningData>;
    const provisioningData = { ...data, instance_type: { ...data.instance_type, name: 'given' } };
    const [job] = plan({}, { instances: [{ ...ordered, provisioningData }], offers: [] }).jobPlans;
    expect(names(job?.offers)).toEqual(['given 1 busy']);
  });

  it('name the addresses of SSH hosts, which are all alike otherwise, in searches too', () => {
    const fleet = aFleet('lab');
    const offer = { ...anOffer({ backend: 'remote', region: 'remote' }), total_blocks: 2 };
    const hosts = ['10.0.0.1', '10.0.0.2'].map((address, num) =>
      anInstance(fleet, num, offer, { backend: 'remote', totalBlocks: 2, address }),
    );
    const world = { fleets: [fleet], instances: hosts };
    const hostsOf = (options: PlanInput['options']) =>
      plan({}, { ...world, options }).jobPlans[0]?.offers.map(({ hostname }) => hostname);
    expect(hostsOf({ groupNodes: true })).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(hostsOf({ forOffersOnly: true, fullOffers: true })).toEqual(['10.0.0.1', '10.0.0.2']);
  });

  it('name the most expensive first if requested, before the cut', () => {
    const options = { reverseOffers: true, maxOffers: 3 };
    const [job] = plan({}, { instances, offers, options }).jobPlans;
    expect(names(job?.offers)).toEqual(['idle 4 idle', 'new 2 available', 'busy 1 busy']);
    expect(job).toMatchObject({ total_offers: 4, max_price: 4 });
  });

  it('are 50 by default, and the count covers all', () => {
    const many = Array.from({ length: 120 }, (_, price) => anOffer({ price: price + 1 }));
    const [job] = plan({}, { offers: many }).jobPlans;
    expect(job?.offers).toHaveLength(50);
    expect(job).toMatchObject({ total_offers: 120, max_price: 120 });
  });

  it('are those of the fleet that would be chosen', () => {
    const eu = aFleet('eu', { nodes: '0..', regions: ['eu-1'] });
    const us = aFleet('us', { nodes: '0..', regions: ['us-east-1'] });
    const two = [anOffer({ price: 3 }), anOffer({ price: 2, region: 'eu-1' })];
    const result = plan({}, { fleets: [us, eu], offers: two });
    expect(result.fleetId).toBe('fleet-eu');
    expect(result.jobPlans[0]?.offers.map((offer) => offer.region)).toEqual(['eu-1']);
  });

  it('are the same for all nodes of a group', () => {
    const cluster = aFleet('cluster', { nodes: '0..', placement: 'cluster' });
    const result = plan({ nodes: 3 }, { fleets: [cluster], offers });
    expect(result.jobPlans.map((job) => job.job_spec.job_name)).toEqual([
      'train-0-0',
      'train-1-0',
      'train-2-0',
    ]);
    expect(new Set(result.jobPlans.map((job) => job.total_offers))).toEqual(new Set([2]));
  });

  it('are none without a fleet, and the notes name the remedy', () => {
    const result = plan({}, { fleets: [], offers });
    expect(result.jobPlans[0]).toMatchObject({ offers: [], total_offers: 0, max_price: null });
    expect(result.notes[0]).toMatch(/No matching fleet found/);
  });

  it('come from all fleets and backends if only offers are searched', () => {
    const options = { forOffersOnly: true };
    const result = plan({ image: 'scratch' }, { fleets: [], instances: [], offers, options });
    expect(names(result.jobPlans[0]?.offers)).toEqual(['new 2 available', 'none 1 not_available']);
    const named = plan({ fleets: ['cloud'] }, { instances, offers, options });
    expect(named.jobPlans[0]?.total_offers).toBe(4);
  });

  it('report a missing fleet also if only offers are searched', () => {
    const options = { forOffersOnly: true };
    const { notes } = plan({ fleets: ['cluod'] }, { instances, offers, options });
    expect(notes).toContain('No matching fleet found: none of the specified fleets (cluod) exists');
    expect(plan({ resources: { gpu: 'H100' } }, { fleets: [], options }).notes).toEqual([]);
  });

  it.each([
    ['reuse', { creation_policy: 'reuse' }, 2],
    ['named instances', { instances: ['cloud-1'] }, 1],
  ])('with %s are existing instances only, and no backend is asked', (_what, profile, total) => {
    const result = plan(profile, { instances, offers });
    expect(result.questions).toEqual([]);
    expect(result.jobPlans[0]?.total_offers).toBe(total);
  });

  it('show whole machines, or what is free of them, on demand', () => {
    const shared = anInstance(CLOUD, 2, anOffer({ cpus: 8 }), {
      totalBlocks: 4,
      busyBlocks: 1,
      status: 'busy',
    });
    const cpus = (options: PlanInput['options']) =>
      plan({}, { instances: [shared], options }).jobPlans[0]?.offers[0]?.instance.resources.cpus;
    expect(cpus({})).toBe(2);
    expect(cpus({ fullOffers: true })).toBe(8);
    expect(cpus({ fullOffers: true, unallocatedResources: true })).toBe(6);
  });

  it('of a service are one list per replica group', () => {
    const groups = [
      { name: 'web', replicas: 1, commands: ['x'] },
      { name: 'gpu', replicas: 1, commands: ['x'], resources: { gpu: 'H100:1..' } },
    ];
    const result = plan(
      { type: 'service', port: 80, commands: [], groups },
      { offers: [anOffer(), anOffer({ gpus: 8, price: 9 })] },
    );
    expect(result.jobPlans.map((job) => [job.job_spec.replica_group, job.total_offers])).toEqual([
      ['web', 2],
      ['gpu', 1],
    ]);
  });
});

describe('notes of a plan', () => {
  it.each([
    [{ shell: 'bash' }, '`shell` is not used there'],
    [{ python: '3.12', image: null }, '`python` is not used there'],
    [{ nvcc: true }, '`nvcc` is not used there'],
    [{ resources: { shm_size: '1GB' } }, '`shm_size` is not used there'],
    [
      { user: 'me', image: 'x' },
      '`user` (me) is not used there unless root starts the server with DSTACK_LOCAL_TRUSTED',
    ],
  ])('say of %j that it needs a container', (configuration, text) => {
    const { notes } = plan(configuration, { offers: [localOffer('process')] });
    expect(notes).toContain(`local: ${text}`);
  });

  it.each([
    ['docker', ['data:/data']],
    ['process', ['data:/data']],
    ['process', ['/mnt/data:/data']],
  ] as const)(
    'on the server’s machine (%s) rule %j out, which would not be mounted',
    (kind, volumes) => {
      const { notes, jobPlans } = plan({ volumes }, { offers: [localOffer(kind)] });
      expect(jobPlans[0]?.offers).toEqual([]);
      expect(notes).toContain('1 offer is ruled out by `volumes`');
    },
  );

  it('report how many offers each property excludes', () => {
    const offers = [anOffer(), anOffer(), anOffer({ gpus: 8, price: 20 })];
    const { notes } = plan({ resources: { gpu: 'H100:8' }, max_price: 5 }, { offers });
    expect(notes).toContain('2 offers are ruled out by `gpu`');
    expect(notes).toContain('1 offer is ruled out by `max_price`');
  });

  it('of several nodes name `placement` where that is the cause, and not the machines', () => {
    const { notes } = plan({ nodes: 2 }, { offers: [localOffer('docker')] });
    expect(notes.join()).toContain('its placement is not cluster, as 2 nodes need');
    expect(notes.join()).not.toContain('ruled out by `nodes`');
  });

  it('report that no image is used without containers', () => {
    const { notes } = plan({ image: 'busybox' }, { offers: [localOffer('process')] });
    expect(notes).toEqual([
      "local: the job runs as a plain process on the server's machine, without a container",
      'local: `image` (busybox) is not used there',
    ]);
  });

  it('do not mention the image of a search for offers, which is a placeholder', () => {
    const options = { forOffersOnly: true };
    const { notes } = plan({ image: 'scratch' }, { offers: [localOffer('process')], options });
    expect(notes).toEqual([
      "local: the job runs as a plain process on the server's machine, without a container",
    ]);
  });

  it('advise a service to listen on an address of its own where replicas share ports', () => {
    const local = { offers: [localOffer('process')] };
    const advice = expect.stringMatching(/^local: .* \$DSTACK_LISTEN_ADDRESS$/);
    const service = (command: string) => ({ type: 'service', port: 80, commands: [command] });
    expect(plan(service('serve --port 80'), local).notes).toContainEqual(advice);
    const own = service('serve --host $DSTACK_LISTEN_ADDRESS');
    expect(plan(own, local).notes).not.toContainEqual(advice);
    expect(plan({}, local).notes).not.toContainEqual(advice);
    const inContainer = { offers: [localOffer('docker')] };
    expect(plan(service('serve'), inContainer).notes).not.toContainEqual(advice);
  });

  it('report that a container is used', () => {
    const notAlone = { image: 'busybox', shell: 'bash', user: 'me' };
    const { notes } = plan(notAlone, { offers: [localOffer('docker')] });
    expect(notes).toEqual(["local: the job runs in a Docker container on the server's machine"]);
  });

  it('name the features that need containers', () => {
    const { notes, jobPlans } = plan({ privileged: true }, { offers: [localOffer('process')] });
    expect(jobPlans[0]?.total_offers).toBe(0);
    expect(notes).toContain('1 offer is ruled out by `privileged`');
  });

  it('name volumes, because a job must never run without its data', () => {
    const elsewhere = {
      ...volumeRecord(),
      configuration: { ...volumeRecord().configuration, region: 'eu' },
    };
    const volumes = [
      { volume: elsewhere as VolumeRecord, attachments: [], users: [], missing: null },
    ];
    const configuration = { volumes: ['data:/data'] };
    const { notes, jobPlans } = plan(configuration, { offers: [anOffer()], volumes });
    expect(jobPlans[0]?.total_offers).toBe(0);
    expect(notes.join()).toContain('volume data cannot be mounted since it is on aws/eu');
    expect(plan(configuration, { offers: [anOffer()] }).notes).toEqual(['Volume data not found']);
    const here = [{ volume: volumeRecord(), attachments: [], users: [], missing: null }];
    const possible = plan(configuration, { offers: [anOffer()], volumes: here });
    expect(possible.jobPlans[0]?.total_offers).toBe(1);
  });

  it('name the variable that would allow the job on the server’s machine', () => {
    const offers = [localOffer('docker', { mounts: true })];
    const { notes, jobPlans } = plan({ privileged: true }, { offers });
    expect(jobPlans[0]?.total_offers).toBe(0);
    expect(notes.join()).toMatch(/`privileged` would give .* DSTACK_LOCAL_TRUSTED=1/);
    const image = 'localhost:5000/x';
    const inner = plan({ image }, { offers });
    expect(inner.jobPlans[0]?.total_offers).toBe(0);
    expect(inner.notes.join()).toMatch(/`image` names .* DSTACK_SERVER_OUTGOING_ALLOW=loopback/);
    const allowed = plan({ image }, { offers: [localOffer('docker', { loopback: true })] });
    expect(allowed.jobPlans[0]?.total_offers).toBe(1);
    const mounts = plan({ volumes: ['/etc:/e'] }, { offers: [localOffer('process')] });
    expect(mounts.notes.join()).toMatch(
      /`volumes` cannot be mounted on the server's machine, since the server/,
    );
    const none = plan({ privileged: true }, { offers: [localOffer('process')] });
    expect(none.notes.join()).not.toContain('DSTACK_LOCAL_TRUSTED');
  });

  it('name the keys that are not used on the machine of the server', () => {
    const volumes = [{ instance_path: '/data', path: '/d', optional: true }];
    const asked = { image: null, user: 'root', volumes };
    const { notes } = plan(asked, { offers: [localOffer('process')] });
    expect(notes).toContain(
      'local: `user` (root) is not used there unless root starts the server with DSTACK_LOCAL_TRUSTED',
    );
    expect(notes).toContain('local: the optional volume /data:/d is left out there');
    const trusted = localOffer('process', { trusted: true, mounts: true, users: true });
    expect(plan(asked, { offers: [trusted] }).notes).toHaveLength(1);
  });

  it('report that a fleet is full, not that nothing fits, as the scheduler does', () => {
    const small = aFleet('small', { nodes: '0..1' });
    const busy = anInstance(small, 0, anOffer(), { status: 'busy', busyBlocks: 1 });
    const { notes } = plan({}, { fleets: [small], instances: [busy], offers: [anOffer()] });
    expect(notes[0]).toBe('Fleet small is at capacity: nodes.max is 1, instances: 1 busy');
  });

  it('name the property on which fleet and run exclude each other', () => {
    const spot = aFleet('spot', { nodes: '0..', spot_policy: 'spot' });
    const { notes } = plan({ spot_policy: 'on-demand' }, { fleets: [spot], offers: [anOffer()] });
    expect(notes[0]).toMatch(/spot: its spot_policy \(spot\) excludes the run's \(on-demand\)/);
  });
});
