/** Explanations of instances, fleets, volumes and gateways, one row per situation. */
import { describe, expect, it } from 'vitest';
import type {
  FleetRecord,
  FleetSnapshot,
  GatewayRecord,
  InstanceRecord,
  InstanceSnapshot,
  IntentRecord,
  VolumeRecord,
} from '../model/index.ts';
import { SECOND } from '../model/records.ts';
import { aContext, aFleet, anInstance, anOffer, CLOUD } from '../placement/testing.ts';
import { aHost } from '../reconcile/testing.ts';
import type { Diagnosis } from './diagnosis.ts';
import { explainFleet } from './explain-fleet.ts';
import { explainInstance } from './explain-instance.ts';
import { explainGateway, explainVolume } from './explain-resources.ts';
import { aNamedRun, NOW } from './testing.ts';

const MINUTE = 60 * SECOND;
const CTX = {
  now: NOW + MINUTE,
  settings: aContext().settings,
  viewer: { projects: new Set(['project-1']) },
};
const PROJECTS = { 'project-1': 'main', 'project-2': 'other' };

const LAB = aFleet('lab', { ssh_config: { user: 'u', hosts: ['a', 'b'] } });
const REMOTE = anOffer({ backend: 'remote', region: 'remote', price: 0 });

interface Expected {
  readonly state: Diagnosis['state'];
  readonly rules: readonly string[];
  readonly summary: string;
  /** Minutes from `NOW`. */
  readonly until?: number;
  readonly attempt?: number;
  readonly fixes?: readonly string[];
}

function expectTold(diagnosis: Diagnosis, expected: Expected): void {
  expect(diagnosis.state).toBe(expected.state);
  expect(diagnosis.reasons.map((one) => one.rule)).toEqual(expected.rules);
  expect(diagnosis.summary).toContain(expected.summary);
  expect(diagnosis.summary).not.toMatch(/\b(null|undefined|NaN)\b/);
  if (expected.until !== undefined) expect(diagnosis.until).toBe(NOW + expected.until * MINUTE);
  if (expected.attempt !== undefined) expect(diagnosis.attempt).toBe(expected.attempt);
  for (const wanted of expected.fixes ?? [])
    expect(JSON.stringify(diagnosis.fixes)).toContain(wanted);
}

interface OneInstance {
  readonly fleet?: FleetRecord;
  readonly instance?: Partial<InstanceRecord>;
  readonly host?: Parameters<typeof aHost>[0];
  readonly intents?: readonly Partial<IntentRecord>[];
  readonly activeInFleet?: number;
  /** Runs on it: name, project. */
  readonly on?: readonly (readonly [string, string])[];
}

function assessInstance({ fleet = CLOUD, ...one }: OneInstance): Diagnosis {
  const offer = fleet === LAB ? REMOTE : anOffer();
  const instance = anInstance(fleet, 0, offer, one.instance);
  const intents = (one.intents ?? []).map(
    (patch): IntentRecord => ({
      ...{ key: 'k', kind: 'instance.terminate', subjectId: instance.id, attempt: 0 },
      ...{ payload: { kind: 'instance.terminate' }, state: 'announced', result: null },
      ...{ error: null, createdAt: NOW, updatedAt: NOW },
      ...patch,
    }),
  );
  const snapshot: InstanceSnapshot = {
    ...{ instance, fleet, jobs: [], intents, activeInFleet: one.activeInFleet ?? 1 },
    host: one.host ? aHost({ id: instance.id, ...one.host }) : null,
  };
  const holders = (one.on ?? []).map(([name, project]) => ({
    ...{ instanceId: instance.id, blocks: 1, run: aNamedRun(name, project) },
  }));
  return explainInstance({ instance: snapshot, holders, projectNames: PROJECTS }, CTX);
}

const INSTANCES: readonly (readonly [string, OneInstance, Expected])[] = [
  [
    'is being made',
    { instance: { status: 'pending', provisioningData: null } },
    { state: 'creating', rules: ['creating'], summary: 'waits for its machine' },
  ],
  [
    'is a host that is being added',
    {
      fleet: LAB,
      instance: { status: 'pending' },
      host: { connected: false, error: 'login refused' },
    },
    {
      ...{ state: 'creating', rules: ['deploying'], until: 10 },
      summary: 'is being added: the agent is brought onto its host: login refused',
    },
  ],
  [
    'is starting up',
    { instance: { status: 'provisioning' }, host: { connected: false, error: 'refused' } },
    {
      ...{ state: 'starting', rules: ['provisioning'], until: 10 },
      summary: 'its agent has not connected yet (refused)',
    },
  ],
  [
    'is idle for a while',
    { activeInFleet: 2 },
    { state: 'idle', rules: ['idle'], until: 5, summary: 'is terminated in 4 min' },
  ],
  [
    'is idle and kept by its fleet',
    { fleet: aFleet('cloud', { nodes: '1..' }) },
    { state: 'idle', rules: ['nodes.min'], summary: 'its fleet keeps 1 (`nodes.min`)' },
  ],
  [
    'is an idle host of somebody’s own',
    { fleet: LAB },
    { state: 'idle', rules: ['idle'], summary: 'is idle, and stays' },
  ],
  [
    'is busy with runs of two projects',
    {
      instance: { status: 'busy', totalBlocks: 4, busyBlocks: 2 },
      on: [
        ['mine', 'project-1'],
        ['secret', 'project-2'],
      ],
    },
    {
      ...{ state: 'busy', rules: ['busy'] },
      summary: 'is busy (2 of 4 blocks) with mine, a run of another project.',
    },
  ],
  [
    'is a cloud machine that cannot be reached',
    { instance: { unreachable: true, unreachableSince: NOW }, host: { error: 'no route' } },
    {
      ...{ state: 'unreachable', rules: ['unreachable'], until: 20 },
      summary: 'is unreachable: no route; it is terminated in 19 min',
    },
  ],
  [
    'is a host that cannot be reached, for as long as that takes',
    {
      fleet: LAB,
      instance: { unreachable: true, unreachableSince: NOW },
      on: [['eval', 'project-1']],
    },
    {
      ...{ state: 'unreachable', rules: ['unreachable'] },
      summary: 'it gets no jobs until it is back; eval may go on there',
    },
  ],
  [
    'fails its health checks',
    { fleet: LAB, instance: { health: 'failure' } },
    {
      ...{ state: 'degraded', rules: ['unhealthy', 'idle'] },
      summary: 'fails its health checks, and gets no jobs',
      fixes: ['dstack fleet get lab'],
    },
  ],
  [
    'is no longer what its fleet asks for',
    { fleet: aFleet('cloud', { nodes: '0..', regions: ['eu'] }), instance: { status: 'busy' } },
    { state: 'busy', rules: ['fleet_spec', 'busy'], summary: 'ends when it is free' },
  ],
  [
    'is not terminated at the first attempt',
    {
      instance: { status: 'terminating', terminationReason: 'idle_timeout' },
      intents: [{ state: 'failed', error: 'throttled', attempt: 2 }],
    },
    {
      ...{ state: 'stopping', rules: ['terminating'], until: 1 },
      summary: 'attempt 3 failed (throttled), the next begins now',
    },
  ],
  [
    'lost its backend while it was terminated',
    {
      instance: { status: 'terminating' },
      intents: [
        {
          state: 'failed',
          result: { kind: 'refused', reason: 'backend_missing', message: 'not configured' },
        },
      ],
    },
    {
      ...{ state: 'stopping', rules: ['terminating'], until: 15 },
      summary: 'backend aws is not configured any more, so nobody can end its machine',
    },
  ],
  [
    'could not be added',
    {
      fleet: LAB,
      instance: {
        ...{ status: 'terminated', terminationReason: 'provisioning_timeout' },
        terminationMessage: 'login refused',
      },
    },
    {
      ...{ state: 'ended', rules: ['ended'] },
      summary: 'has ended: it did not come up in time (login refused)',
    },
  ],
];

describe('an instance', () => {
  it.each(INSTANCES)('%s, and is told so', (_name, one, expected) => {
    const diagnosis = assessInstance(one);
    expectTold(diagnosis, expected);
    expect(JSON.stringify(diagnosis)).not.toContain('secret');
  });
});

interface OneFleet {
  readonly fleet: FleetRecord;
  readonly instances?: readonly InstanceRecord[];
  readonly activeRuns?: number;
}

function diagnoseFleet({ fleet, instances = [], activeRuns = 0 }: OneFleet): Diagnosis {
  const snapshot: FleetSnapshot = {
    ...{ fleet, instances, activeRuns, projectName: 'main', projectDeleted: false },
  };
  return explainFleet({ fleet: snapshot, holders: [], hosts: [], projectNames: PROJECTS }, CTX);
}

const TWO = aFleet('cloud', { nodes: '2..4' });
const DEAD = anInstance(TWO, 1, anOffer(), {
  ...{ status: 'terminated', terminationReason: 'no_offers', provisioningData: null },
  ...{ terminationMessage: 'All offers failed', finishedAt: NOW },
});

const FLEETS: readonly (readonly [string, OneFleet, Expected])[] = [
  [
    'has what it should have',
    { fleet: TWO, instances: [0, 1].map((n) => anInstance(TWO, n)) },
    {
      ...{ state: 'active', rules: [] },
      summary: 'Fleet cloud has 2 instances (`nodes: 2..4`): 2 idle.',
    },
  ],
  [
    'has fewer than it keeps, and tries again',
    {
      fleet: { ...TWO, consolidationAttempt: 2, lastConsolidatedAt: NOW },
      instances: [anInstance(TWO, 0), DEAD],
    },
    {
      ...{ state: 'degraded', rules: ['nodes.min', 'creation_failed'], until: 5 },
      attempt: 3,
      summary:
        'lacks 1 of `nodes.min`; attempt 3 to make them begins in 4 min (2023-11-14 22:18:20 UTC); cloud-1 failed: no offer could be had for it (All offers failed)',
    },
  ],
  [
    'has given up making instances',
    { fleet: { ...TWO, consolidationAttempt: 15, lastConsolidatedAt: NOW }, instances: [DEAD] },
    {
      ...{ state: 'degraded', rules: ['consolidation', 'creation_failed'] },
      attempt: 15,
      summary: 'lacks 2 of `nodes.min`, and no more are made after 15 attempts',
      fixes: ['begins the attempts anew'],
    },
  ],
  [
    'has a host that cannot be reached',
    {
      fleet: LAB,
      instances: [
        anInstance(LAB, 0, REMOTE),
        anInstance(LAB, 1, REMOTE, {
          ...{ unreachable: true, unreachableSince: NOW, terminationMessage: 'no route' },
        }),
      ],
    },
    {
      ...{ state: 'degraded', rules: ['unreachable'] },
      summary: 'has 2 instances: 1 idle, 1 unreachable; lab-1 is unreachable: no route',
      fixes: ['dstack explain instance lab-1'],
    },
  ],
  [
    'is deleted while runs are in it',
    { fleet: { ...LAB, status: 'terminating' }, instances: [anInstance(LAB, 0)], activeRuns: 2 },
    {
      ...{ state: 'stopping', rules: ['in_use'] },
      summary: 'is being deleted, and waits for 2 runs to end and 1 instance to be terminated',
    },
  ],
];

describe('a fleet', () => {
  it.each(FLEETS)('%s, and is told so', (_name, one, expected) => {
    const diagnosis = diagnoseFleet(one);
    expectTold(diagnosis, expected);
    expect(diagnosis.parts).toHaveLength((one.instances ?? []).length);
  });
});

const VOLUME: VolumeRecord = {
  ...{ id: 'v', projectId: 'project-1', userId: 'u', name: 'data', backend: 'aws' },
  configuration: { auto_cleanup_duration: 600 } as VolumeRecord['configuration'],
  ...{ external: false, status: 'active', statusMessage: null, provisioningData: null },
  ...{ createdAt: NOW, lastProcessedAt: NOW, lastJobProcessedAt: null, toBeDeleted: false },
  ...{ deleted: false, deletedAt: null, nextPassAt: null, version: 1 },
};

describe('a volume', () => {
  it.each<readonly [string, Partial<VolumeRecord>, number, Expected]>([
    [
      'has failed',
      { status: 'failed', statusMessage: 'This server cannot create volumes in backend aws' },
      0,
      {
        ...{ state: 'failed', rules: ['failed'], fixes: ['dstack volume delete data'] },
        summary: 'has failed: This server cannot create volumes in backend aws',
      },
    ],
    [
      'is on its way',
      { status: 'submitted' },
      0,
      { state: 'creating', rules: ['creating'], until: 10, summary: 'waits for backend aws' },
    ],
    ['is used', {}, 2, { state: 'active', rules: ['in_use'], summary: 'is used by 2 instances' }],
    [
      'is not used, and goes',
      {},
      0,
      { state: 'active', rules: ['idle'], until: 10, summary: 'is deleted in 9 min' },
    ],
    [
      'is deleted while it is used',
      { toBeDeleted: true },
      1,
      { state: 'stopping', rules: ['in_use'], summary: 'it is still used by 1 instance' },
    ],
  ])('%s, and is told so', (_name, patch, attachments, expected) => {
    const volume = { ...VOLUME, ...patch };
    const snapshot = { volume, projectName: 'main', backendConfigured: true, attachments };
    expectTold(explainVolume(snapshot, CTX), expected);
  });
});

const GATEWAY: GatewayRecord = {
  ...{ id: 'g', projectId: 'project-1', name: 'gate', backend: 'aws', region: 'eu' },
  configuration: {} as GatewayRecord['configuration'],
  ...{ status: 'running', statusMessage: null, wildcardDomain: null, hostname: null },
  ...{ backendData: null, scaleOutAttempt: 0, createdAt: NOW, lastProcessedAt: NOW },
  ...{ toBeDeleted: false, deleted: false, nextPassAt: null, version: 1 },
};

describe('a gateway', () => {
  it.each<readonly [string, Partial<GatewayRecord>, boolean, Expected]>([
    [
      'has failed, and lost its backend',
      { status: 'failed', statusMessage: 'This server cannot create gateways in backend aws' },
      false,
      {
        ...{ state: 'failed', rules: ['failed', 'no_backends'] },
        summary: 'has failed: This server cannot create gateways in backend aws',
        fixes: ['dstack gateway delete gate'],
      },
    ],
    [
      'is on its way',
      { status: 'provisioning' },
      true,
      { state: 'creating', rules: ['creating'], until: 30, summary: 'has to be up in 29 min' },
    ],
    [
      'runs',
      {},
      true,
      {
        ...{ state: 'active', rules: ['in_use'] },
        summary: 'runs, and serves api, a run of another project.',
      },
    ],
    [
      'is deleted',
      { toBeDeleted: true },
      true,
      { state: 'stopping', rules: ['terminating'], summary: 'is being deleted' },
    ],
  ])('%s, and is told so', (_name, patch, backendConfigured, expected) => {
    const gateway = { ...GATEWAY, ...patch };
    const snapshot = {
      ...{ gateway, projectName: 'main', backendConfigured, defaultOf: [], projectDefaultId: null },
    };
    const services = [aNamedRun('api'), aNamedRun('secret', 'project-2')];
    expectTold(
      explainGateway({ gateway: snapshot, services, projectNames: PROJECTS }, CTX),
      expected,
    );
  });
});
