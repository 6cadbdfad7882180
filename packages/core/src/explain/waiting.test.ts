/** Explanations of runs that wait for existing instances. */
import { describe, it } from 'vitest';
import { aFleet, aGang, anInstance, anOffer, aRun, mayUse } from '../placement/testing.ts';
import { aNamedRun, held, NOW } from './testing.ts';
import {
  BUSY,
  busy,
  CLUSTER,
  expectWaiting,
  host,
  LAB,
  REMOTE,
  WAITS,
  type Waits,
} from './testing-waiting.ts';

const SITUATIONS: readonly Waits[] = [
  [
    'the name of a fleet that only another project has',
    {
      configuration: { fleets: ['lab'] },
      fleets: [{ ...LAB, projectId: 'project-2' }],
      instances: [host(0)],
    },
    { rules: ['fleets_missing'], summary: 'named lab', fixes: ['fleets: [other/lab]'] },
  ],
  [
    'the name of a fleet that is not there',
    { configuration: { fleets: ['lap'] }, fleets: [LAB], instances: [host(0)] },
    {
      rules: ['fleets_missing'],
      summary: 'no fleet of the project is named lap',
      fixes: ['fleets: [lab]'],
    },
  ],
  [
    'the name of a fleet in a project without any',
    { configuration: { fleets: ['lap'] }, offers: [anOffer()] },
    {
      rules: ['fleets_missing'],
      summary: 'no fleet of the project is named lap',
      fixes: ['name: lap\nnodes: 0..1'],
    },
  ],
  [
    'the name of a fleet of another project that is not there',
    { configuration: { fleets: ['other/lap'] }, offers: [anOffer()] },
    { rules: ['fleets_missing'], summary: 'is named other/lap', no: ['type: fleet'] },
  ],
  [
    'a fleet that was deleted under a run',
    { run: { fleetId: 'fleet-gone' }, fleets: [LAB], instances: [host(0)] },
    { rules: ['fleet_deleted'], summary: 'was deleted', no: ['type: fleet'] },
  ],
  [
    'a full fleet, by a run of the project',
    { fleets: [LAB], instances: [busy], holders: [held(busy, 'eval')] },
    { rules: ['busy'], summary: 'is full (lab-0 is busy with eval)', fixes: ['dstack stop eval'] },
  ],
  [
    'a full fleet, by a run of a project that the caller does not see',
    { fleets: [LAB], instances: [busy], holders: [held(busy, 'secret', 'project-2')] },
    {
      rules: ['busy'],
      summary: 'busy with a run of another project',
      no: ['secret', 'other/', 'dstack stop'],
    },
  ],
  [
    'a full fleet, by a run of another project that the caller sees',
    {
      fleets: [LAB],
      instances: [busy],
      holders: [held(busy, 'eval', 'project-2')],
      viewer: null,
    },
    { rules: ['busy'], summary: 'busy with other/eval', no: ['dstack stop'] },
  ],
  [
    'a service with more replicas than its fleet may have instances',
    {
      configuration: { type: 'service', port: 80, replicas: 3 },
      fleets: [aFleet('tiny', { nodes: '0..1' })],
      offers: [anOffer()],
    },
    { rules: ['nodes.max'], summary: '3 replicas are needed at once', no: ['3 nodes'] },
  ],
  [
    'two runs that both have to end',
    {
      configuration: { nodes: 2 },
      fleets: [CLUSTER],
      instances: [0, 1].map((n) => anInstance(CLUSTER, n, anOffer(REMOTE), BUSY)),
      holders: [0, 1].map((n) => held(anInstance(CLUSTER, n, anOffer(REMOTE), BUSY), `eval-${n}`)),
    },
    {
      rules: ['busy'],
      summary: '2 nodes are needed at once; fleet cluster is full',
      fixes: ['eval-0 and eval-1'],
      no: ['dstack stop'],
    },
  ],
  [
    'blocks of a divided host that are all taken',
    {
      fleets: [LAB],
      instances: [host(0, { status: 'busy', totalBlocks: 2, busyBlocks: 2 })],
      holders: ['a', 'b'].map((name) => ({ ...held(busy, name), blocks: 1 })),
    },
    { rules: ['busy'], summary: 'busy with a, b', fixes: ['dstack stop a', 'dstack stop b'] },
  ],
  [
    'a host that is free, and one that is too small: it is about to be placed',
    { fleets: [LAB], instances: [host(0, {}, { cpus: 1 }), host(1)] },
    { rules: ['placing'], summary: 'is about to get a place in fleet lab' },
  ],
  [
    'a run too large for every host, full or not',
    {
      configuration: { resources: { cpu: '64..', memory: '512GB..' } },
      fleets: [LAB],
      instances: [busy, host(1)],
    },
    {
      rules: ['cpu', 'memory'],
      summary: 'cannot be placed: fleet lab cannot take it (lab-0 and lab-1 do not fit: `cpu` is 8',
      fixes: ['resources:\n  cpu: 8..\n  memory: 32GB..'],
      no: ['retry:'],
    },
  ],
  [
    'GPUs that no host has, while one is also busy',
    {
      configuration: { resources: { gpu: 'H100:8' } },
      fleets: [LAB],
      instances: [busy, host(1, {}, { gpus: 4 })],
    },
    {
      rules: ['gpu'],
      summary: '`gpu` is H100:80GB:4, asked for H100:8',
      fixes: ['resources:\n  gpu: H100:4'],
    },
  ],
  [
    'GPUs of another name',
    {
      configuration: { resources: { gpu: 'H200:1' } },
      fleets: [LAB],
      instances: [host(0, {}, { gpus: 2 })],
    },
    { rules: ['gpu'], summary: 'asked for H200:1', fixes: ['resources:\n  gpu: H100:1..2'] },
  ],
  [
    'a backend of the run that is not that of the busy host',
    { configuration: { backends: ['aws'] }, fleets: [LAB], instances: [busy] },
    {
      rules: ['backends'],
      summary: '`backends` is remote, asked for aws',
      fixes: ['backends: [aws, remote]'],
    },
  ],
  [
    'an instance type of a host that is full',
    { configuration: { instance_types: ['p5'] }, fleets: [LAB], instances: [busy] },
    {
      rules: ['instance_types'],
      summary: '`instance_types` is vm, asked for p5',
      fixes: ['instance_types: [p5, vm]'],
    },
  ],
  [
    'several nodes, and a fleet that is not a cluster',
    { configuration: { nodes: 2 }, fleets: [LAB], instances: [host(0), host(1)] },
    {
      rules: ['placement'],
      summary: 'its placement is not cluster, as 2 nodes need',
      fixes: ['placement: cluster'],
    },
  ],
  [
    'more nodes than the hosts that would fit',
    {
      configuration: { nodes: 2 },
      fleets: [CLUSTER],
      instances: [anInstance(CLUSTER, 0, anOffer(REMOTE))],
    },
    { rules: ['fixed_size'], summary: 'only 1 of its hosts would fit, 2 are needed at once' },
  ],
  [
    'named instances only, and others are free',
    {
      configuration: { instances: ['lab-0'] },
      fleets: [LAB],
      instances: [busy, host(1)],
      holders: [held(busy, 'eval')],
    },
    {
      rules: ['busy', 'instances'],
      summary: 'lab-0 is busy with eval',
      fixes: ['dstack stop eval', 'instances: null'],
    },
  ],
  [
    'a fleet beside those that the run names',
    {
      configuration: { fleets: ['lab'] },
      fleets: [LAB, aFleet('spare', { ssh_config: { user: 'u', hosts: ['c'] } })],
      instances: [
        busy,
        anInstance(
          aFleet('spare', { ssh_config: { user: 'u', hosts: ['c'] } }),
          0,
          anOffer(REMOTE),
        ),
      ],
      holders: [held(busy, 'eval')],
    },
    { rules: ['busy'], summary: 'fleet lab is full', fixes: ['fleets: [spare]'] },
  ],
  [
    'a full fleet, and a more urgent run that gets the next place',
    {
      job: WAITS,
      fleets: [LAB],
      instances: [busy],
      holders: [held(busy, 'eval')],
      others: [aGang(aRun('first', {}, { submittedAt: NOW - 5, priority: 3 }), 0, WAITS)],
      place: { ahead: 1, first: [aNamedRun('first', 'project-1', 3)] },
    },
    {
      rules: ['busy'],
      summary: 'one run that asks for the same is ahead',
      fixes: ['Wait until eval ends, and for those ahead: first'],
      no: ['dstack stop eval'],
    },
  ],
  [
    'what is kept for a gang that is ahead',
    {
      job: WAITS,
      fleets: [CLUSTER],
      instances: [
        anInstance(CLUSTER, 0, anOffer(REMOTE)),
        anInstance(CLUSTER, 1, anOffer(REMOTE), BUSY),
      ],
      others: [aGang(aRun('gang', { nodes: 2 }, { submittedAt: NOW - 5, priority: 3 }), 0, WAITS)],
      holders: [held(anInstance(CLUSTER, 1, anOffer(REMOTE), BUSY), 'eval')],
    },
    {
      rules: ['held', 'busy'],
      summary: 'cluster-0 is kept for gang',
      fixes: ['priority: 4', 'for those ahead: gang'],
      no: ['dstack stop eval'],
    },
  ],
  [
    'what is kept for a run of a project that the caller does not see',
    {
      job: WAITS,
      fleets: [CLUSTER],
      instances: [
        anInstance(CLUSTER, 0, anOffer(REMOTE)),
        anInstance(CLUSTER, 1, anOffer(REMOTE), BUSY),
      ],
      others: [
        aGang(aRun('secret', { nodes: 2 }, { projectId: 'project-2', priority: 3 }), 0, WAITS),
      ],
      projects: mayUse(['project-1', 'project-2'], [CLUSTER]),
    },
    {
      rules: ['held', 'busy'],
      summary: 'cluster-0 is kept for a run of another project',
      no: ['secret', 'other/', 'priority:'],
    },
  ],
  [
    'runs of the same kind that are ahead and will be placed first',
    {
      job: WAITS,
      fleets: [LAB],
      instances: [host(0)],
      place: { ahead: 60, first: [aNamedRun('first')] },
    },
    { rules: ['queue'], summary: '60 runs that ask for the same are ahead' },
  ],
];

describe('a run without a place among instances', () => {
  it.each(SITUATIONS)('is explained: %s', (_name, situation, expected) => {
    expectWaiting(situation, expected);
  });
});
