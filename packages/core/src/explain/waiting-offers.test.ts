/** Explanations of runs that need new instances. */
import { describe, it } from 'vitest';
import { aFleet, anInstance, anOffer, CLOUD, localOffer } from '../placement/testing.ts';
import { held } from './testing.ts';
import { BUSY, busy, cloudBusy, expectWaiting, host, LAB, type Waits } from './testing-waiting.ts';

const OFF = "the server's machine runs no jobs of this project";

/** A fleet of another project, which that project has exported. */
const SHARED = { ...aFleet('pool'), projectId: 'project-2' };

const SITUATIONS: readonly Waits[] = [
  [
    'a project without fleets that has the machine of the server',
    { offers: [localOffer()] },
    {
      rules: ['no_fleets'],
      summary: 'the project has no fleet',
      fixes: ['type: fleet\nname: fleet\nnodes: 0..1'],
    },
  ],
  [
    'a project without fleets that has nothing',
    { localOff: OFF },
    { rules: ['no_fleets', 'local_off'], summary: 'the project has no fleet', fixes: ['<host 1>'] },
  ],
  [
    'two nodes in a project without fleets and with a cloud',
    { configuration: { nodes: 2 }, offers: [anOffer()] },
    { rules: ['no_fleets'], summary: 'no fleet', fixes: ['nodes: 0..2\nplacement: cluster'] },
  ],
  [
    'a region that no offer has',
    {
      configuration: { regions: ['eu'] },
      fleets: [CLOUD],
      offers: [anOffer(), anOffer({ region: 'us-2' })],
    },
    {
      rules: ['regions'],
      summary: 'is us-east-1, asked for eu',
      fixes: ['regions: [eu, us-east-1]'],
    },
  ],
  [
    'memory that no machine has, of which the advice is in whole gigabytes',
    {
      configuration: { resources: { memory: '128GB..' } },
      fleets: [CLOUD],
      offers: [anOffer({ memoryGb: 62.830_078 })],
    },
    { rules: ['memory'], summary: 'cannot be placed', fixes: ['memory: 62GB..'] },
  ],
  [
    'a price over the limit',
    {
      configuration: { max_price: 1, resources: { gpu: '1..' } },
      fleets: [CLOUD],
      offers: [
        ...[4, 2.39].map((price) => anOffer({ gpus: 1, price })),
        ...[4, 4, 4].map((price) => anOffer({ price })),
      ],
    },
    {
      rules: ['max_price', 'gpu'],
      summary:
        '(no offers match; aws: 5 offers over `max_price` ($1.00), the cheapest match is vm in us-east-1 at $2.39)',
      fixes: ['max_price: 2.39'],
    },
  ],
  [
    'a price over the limit of the fleet, which the run cannot lift',
    {
      fleets: [aFleet('cloud', { nodes: '0..', max_price: 1 })],
      offers: [anOffer({ price: 2 })],
    },
    { rules: ['max_price'], summary: 'at $2.00', no: ['max_price: 2'] },
  ],
  [
    'the cheapest match where it cannot be had: no advice to pay for it',
    {
      configuration: { max_price: 1 },
      fleets: [CLOUD],
      offers: [anOffer({ price: 2, availability: 'not_available' })],
    },
    { rules: ['max_price'], summary: 'at $2.00', no: ['max_price: 2'] },
  ],
  [
    'spot machines where only on-demand ones are asked for',
    {
      configuration: { spot_policy: 'on-demand' },
      fleets: [aFleet('cloud', { nodes: '0..', spot_policy: 'auto' })],
      offers: [anOffer({ spot: true })],
    },
    {
      rules: ['spot'],
      summary: '`spot` is spot, asked for on-demand',
      fixes: ['spot_policy: auto'],
    },
  ],
  [
    "directories of the server's machine, whose jobs are not trusted with it",
    {
      configuration: { image: null, commands: ['ls'], volumes: ['/data:/d'] },
      fleets: [CLOUD],
      offers: [localOffer('process', { mounts: true })],
    },
    {
      rules: ['volumes'],
      summary: 'DSTACK_LOCAL_TRUSTED is not set on the server',
      fixes: ['DSTACK_LOCAL_TRUSTED=1'],
    },
  ],
  [
    "directories of the server's machine, where trust would not be enough",
    {
      configuration: {
        ...{ image: null, commands: ['ls'], volumes: ['/data:/d'] },
        resources: { cpu: '500..' },
      },
      fleets: [CLOUD],
      offers: [localOffer('process', { mounts: true })],
    },
    { rules: ['volumes', 'cpu'], summary: 'cannot take it', no: ['DSTACK_LOCAL_TRUSTED=1'] },
  ],
  [
    'a fleet and a run that exclude each other',
    {
      configuration: { spot_policy: 'on-demand' },
      fleets: [aFleet('cloud', { nodes: '0..', spot_policy: 'spot' })],
      offers: [anOffer({ spot: true })],
    },
    {
      rules: ['excluded'],
      summary: "its spot_policy (spot) excludes the run's (on-demand)",
      fixes: ['spot_policy: spot'],
    },
  ],
  [
    'offers that are not available, and an account without quota',
    {
      fleets: [CLOUD],
      offers: [
        anOffer({ availability: 'not_available' }),
        anOffer({ backend: 'gcp', availability: 'no_quota' }),
      ],
    },
    {
      rules: ['not_available', 'no_quota'],
      summary: 'none of its 2 offers is available now',
      fixes: ['on_events: [no-capacity]'],
    },
  ],
  [
    'a backend in which this server makes no machines',
    {
      fleets: [CLOUD],
      offers: [anOffer({ availability: 'not_available' })],
      backends: [{ name: 'aws', createsInstances: false }],
    },
    {
      rules: ['no_machines'],
      summary: 'cannot be placed: fleet cloud cannot take it (this server makes no machines in aws',
      no: ['retry:'],
    },
  ],
  [
    'a backend that refuses its credentials, beside one that is too dear',
    {
      configuration: { max_price: 1 },
      fleets: [CLOUD],
      offers: [anOffer({ price: 2 })],
      backends: [
        { name: 'aws', createsInstances: true },
        { name: 'gcp', createsInstances: true },
      ],
      notes: [
        { backend: 'gcp', rule: 'backend_refused', text: 'it refuses its credentials: expired' },
      ],
    },
    {
      rules: ['backend_refused', 'max_price'],
      summary: 'gcp: it refuses its credentials: expired',
      fixes: ['Repair backend gcp', 'max_price: 2'],
    },
  ],
  [
    'a backend that does not answer',
    {
      fleets: [CLOUD],
      backends: [{ name: 'gcp', createsInstances: true }],
      notes: [{ backend: 'gcp', rule: 'backend_timeout', text: 'it has not answered within 3 s' }],
    },
    { rules: ['backend_timeout'], summary: 'gcp: it has not answered within 3 s' },
  ],
  [
    'a backend that has nothing at all',
    { fleets: [CLOUD], backends: [{ name: 'gcp', createsInstances: true }] },
    { rules: ['backend_empty'], summary: 'gcp: it has no offers' },
  ],
  [
    'a project without backends, and without the machine of the server',
    { fleets: [CLOUD], localOff: OFF },
    {
      rules: ['no_backends', 'local_off'],
      summary: `(no offers match; the project has no backend that can create instances; ${OFF})`,
      fixes: ['<host 1>'],
      no: ['null:'],
    },
  ],
  [
    'a fleet that may not grow',
    {
      fleets: [aFleet('cloud', { nodes: '0..1' })],
      instances: [cloudBusy],
      holders: [held(cloudBusy, 'eval')],
      offers: [anOffer()],
    },
    {
      rules: ['busy', 'nodes.max'],
      summary: 'fleet cloud is full (cloud-0 is busy with eval; nodes.max is 1)',
      fixes: ['dstack stop eval', 'nodes: 0..2'],
    },
  ],
  [
    'a fleet of the machine of the server, which gives no further machine',
    {
      fleets: [aFleet('lap', { nodes: '0..1' })],
      instances: [anInstance(aFleet('lap', { nodes: '0..1' }), 0, localOffer(), BUSY)],
      offers: [localOffer()],
      localInstances: 1,
    },
    {
      rules: ['busy', 'nodes.max'],
      summary: 'fleet lap is full',
      fixes: [
        "Let fleet lap have 2 instances, all on the server's machine: the run then shares its CPUs and memory",
      ],
    },
  ],
  [
    'a fleet that may not grow, for a run that never fits it',
    {
      configuration: { resources: { cpu: '64..' } },
      fleets: [aFleet('cloud', { nodes: '0..1' })],
      instances: [cloudBusy],
      offers: [anOffer()],
    },
    { rules: ['cpu'], summary: 'cannot be placed', no: ['nodes: 0..2', 'retry:'] },
  ],
  [
    'more nodes than the fleet may ever have',
    {
      configuration: { nodes: 3 },
      fleets: [aFleet('cloud', { nodes: '0..2', placement: 'cluster' })],
      offers: [anOffer()],
    },
    { rules: ['nodes.max'], summary: 'nodes.max is 2', fixes: ['nodes: 0..3'] },
  ],
  [
    'new instances that the run does not want',
    { configuration: { creation_policy: 'reuse' }, fleets: [CLOUD], offers: [anOffer()] },
    {
      rules: ['creation_policy'],
      summary: 'creation_policy is reuse',
      fixes: ['creation_policy: reuse-or-create'],
    },
  ],
  [
    'a fleet and a run that exclude each other, beside an imported fleet of the same name',
    {
      configuration: { spot_policy: 'on-demand' },
      fleets: [
        { ...aFleet('cloud', { nodes: '0..' }), id: 'imported', projectId: 'project-2' },
        aFleet('cloud', { nodes: '0..', spot_policy: 'spot' }),
      ],
      offers: [anOffer({ spot: true })],
    },
    {
      rules: ['excluded', 'imported'],
      summary: "its spot_policy (spot) excludes the run's (on-demand)",
      fixes: ['spot_policy: spot'],
    },
  ],
  [
    'an imported fleet, to which only its own project adds instances',
    { fleets: [SHARED], offers: [anOffer()] },
    { rules: ['imported'], summary: 'only its own project adds instances to it' },
  ],
  [
    'an instance that ends, in a fleet without offers',
    {
      fleets: [CLOUD],
      instances: [anInstance(CLOUD, 0, anOffer(), { status: 'terminating' })],
      offers: [anOffer({ availability: 'not_available' })],
    },
    { rules: ['not_available'], summary: 'its one offer is not available now' },
  ],
  [
    'several reasons at once: busy, unreachable, too small, and a cloud that is too dear',
    {
      configuration: { max_price: 1, resources: { gpu: '4..' } },
      fleets: [LAB, CLOUD],
      instances: [
        host(0, BUSY, { gpus: 4 }),
        host(1, { unreachable: true }, { gpus: 4 }),
        host(2, {}, { gpus: 1 }),
      ],
      holders: [held(busy, 'eval')],
      offers: [anOffer({ gpus: 4, price: 9 })],
    },
    {
      rules: ['busy', 'unreachable', 'max_price', 'gpu'],
      summary:
        'fleet lab is full (lab-0 is busy with eval; lab-1 is unreachable); fleet cloud cannot take it',
      fixes: ['dstack stop eval', 'max_price: 9', 'dstack explain instance lab-1'],
    },
  ],
  [
    'the slots of the server’s machine',
    {
      fleets: [CLOUD],
      offers: [localOffer()],
      localInstances: 4,
    },
    {
      rules: ['local_limit'],
      summary: "the server's machine holds its most instances (4)",
      fixes: ['DSTACK_LOCAL_MAX_INSTANCES=5'],
    },
  ],
  [
    'a process on the server’s machine for what needs a container',
    {
      configuration: { docker: true, image: null },
      fleets: [CLOUD],
      offers: [localOffer('process')],
    },
    { rules: ['docker'], summary: 'cannot be placed' },
  ],
];

describe('a run without a place among offers', () => {
  it.each(SITUATIONS)('is explained: %s', (_name, situation, expected) => {
    expectWaiting(situation, expected);
  });
});
