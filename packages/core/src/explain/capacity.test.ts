/** Explanations of instances and fleets, one row per situation. */
import { describe, expect, it } from 'vitest';
import type {
  FleetRecord,
  FleetSnapshot,
  InstanceRecord,
  InstanceSnapshot,
  IntentRecord,
} from '../model/index.ts';
import { aFleet, anInstance, anOffer, CLOUD } from '../placement/testing.ts';
import { aHost } from '../reconcile/testing/records.ts';
import type { Diagnosis } from './diagnosis.ts';
import { explainFleet } from './explain-fleet.ts';
import { explainInstance } from './explain-instance.ts';
import { aNamedRun, NOW } from './testing.ts';
import { CTX, type Expected, expectExplained, PROJECTS } from './testing-capacity.ts';

const LAB = aFleet('lab', { ssh_config: { user: 'u', hosts: ['a', 'b'] } });
const REMOTE = anOffer({ backend: 'remote', region: 'remote', price: 0 });

const CORDON = {
  state: 'cordoned',
  reason: 'a fan is replaced',
  by: 'ann',
  since: 0,
  until: NOW + 90 * 60_000_000,
} as const;

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
    ...{ instance, fleet, jobs: [], intents, activeInFleet: one.activeInFleet ?? 1, local: null },
    health: null,
    host: one.host ? aHost({ id: instance.id, ...one.host }) : null,
    observation: null,
    group: null,
  };
  const holders = (one.on ?? []).map(([name, project]) => ({
    ...{ instanceId: instance.id, blocks: 1, run: aNamedRun(name, project) },
  }));
  return explainInstance({ instance: snapshot, holders, projectNames: PROJECTS }, CTX);
}

const INSTANCES: readonly (readonly [string, OneInstance, Expected])[] = [
  [
    'is being created',
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
      summary: 'is being added: the agent is being installed on its host: login refused',
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
    'is an idle SSH host',
    { fleet: LAB },
    { state: 'idle', rules: ['idle'], summary: 'is idle, and stays' },
  ],
  [
    'is busy with runs of two projects',
    {
      fleet: aFleet('cloud', { blocks: 4 }),
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
    'gets other blocks once it is free',
    {
      fleet: aFleet('cloud', { blocks: 2 }),
      instance: { status: 'busy', totalBlocks: 1, busyBlocks: 1 },
      on: [['mine', 'project-1']],
    },
    {
      ...{ state: 'busy', rules: ['busy'] },
      summary: 'is busy with mine, and gets its new `blocks` (2) once no job runs there.',
      fixes: ['dstack instance cordon cloud-0'],
    },
  ],
  [
    'is a cloud machine that cannot be reached',
    { instance: { unreachable: true, unreachableSince: NOW }, host: { error: 'no route' } },
    {
      ...{ state: 'unreachable', rules: ['unreachable'], until: 20 },
      summary: 'is unreachable: no route; it is terminated in 19 min',
      fixes: ['Check that the machine still runs at backend aws'],
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
      fixes: ['that its SSH server runs'],
    },
  ],
  [
    'fails its health checks',
    { fleet: LAB, instance: { health: 'failure' } },
    {
      ...{ state: 'degraded', rules: ['unhealthy', 'idle'] },
      summary: 'fails its health checks, and gets no jobs',
      fixes: ['Repair what the failed checks name'],
    },
  ],
  [
    'fails a health check that is named',
    { fleet: LAB, instance: { health: 'failure', healthMessage: 'gpu: GPU 1 is lost' } },
    {
      ...{ state: 'degraded', rules: ['unhealthy', 'idle'] },
      summary: 'fails its health checks (gpu: GPU 1 is lost), and gets no jobs; it is idle',
    },
  ],
  [
    'is cordoned',
    { fleet: LAB, instance: { scheduling: CORDON } },
    {
      ...{ state: 'idle', rules: ['cordoned', 'idle'], until: 90 },
      summary: 'UTC: a fan is replaced; it gets no new jobs; it is idle',
      fixes: ['dstack instance uncordon'],
    },
  ],
  [
    'is cordoned and cannot be reached meanwhile',
    { fleet: LAB, instance: { scheduling: CORDON, unreachable: true, unreachableSince: NOW } },
    {
      ...{ state: 'unreachable', rules: ['cordoned', 'unreachable'], until: 90 },
      summary: 'is cordoned by ann until',
    },
  ],
  [
    'has a health warning',
    { fleet: LAB, instance: { health: 'warning', healthMessage: 'disk: 4 % are free' } },
    {
      ...{ state: 'idle', rules: ['health_warning', 'idle'] },
      summary: 'has a health warning (disk: 4 % are free), and gets jobs all the same; it is idle',
    },
  ],
  [
    'is no longer what its fleet requires',
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
      summary: 'backend aws is no longer configured, so its machine cannot be terminated',
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
  it.each(INSTANCES)('is explained: %s', (_name, one, expected) => {
    const diagnosis = assessInstance(one);
    expectExplained(diagnosis, expected);
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
    ...{
      fleet,
      instances,
      intents: [],
      groups: [],
      activeRuns,
      volumes: [],
      projectName: 'main',
      projectDeleted: false,
    },
  };
  return explainFleet({ fleet: snapshot, holders: [], hosts: [], projectNames: PROJECTS }, CTX);
}

describe('a fleet with maintenance', () => {
  const window = (from: number) => ({
    ...{ since: CTX.now - 1, startsAt: CTX.now + from, endsAt: CTX.now + 3600_000_000 },
    hasBegun: from <= 0,
  });
  const lab = aFleet('lab', { nodes: '0..4' });

  it.each([
    [0, /is in maintenance from .* to .*: nothing is placed on it/],
    [60_000_000, /is in maintenance from .*: its jobs leave before, and none begin that may/],
  ])('is explained by the window that begins in %s', (from, summary) => {
    const diagnosis = diagnoseFleet({ fleet: { ...lab, maintenance: window(from) } });
    expect(diagnosis.summary).toMatch(summary);
    expect(diagnosis.reasons).toMatchObject([{ rule: 'maintenance' }]);
  });

  it('has its next window in its summary', () => {
    const maintenance = { schedule: '0 2 1 jan *', duration: '2h' };
    const diagnosis = diagnoseFleet({ fleet: aFleet('lab', { nodes: '0..4', maintenance }) });
    expect(diagnosis.summary).toMatch(/its next maintenance is from \d{4}-01-01 02:00:00 UTC/);
    expect(diagnosis.reasons).toEqual([]);
  });

  it('is the reason of its instances too', () => {
    const fleet = { ...lab, maintenance: window(0) };
    const diagnosis = diagnoseFleet({ fleet, instances: [anInstance(fleet, 0)] });
    expect(diagnosis.parts).toMatchObject([{ rule: 'maintenance' }]);
  });
});

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
        'lacks 1 of `nodes.min`; attempt 3 to create them begins in 4 min (2023-11-14 22:18:20 UTC); cloud-1 failed: no offer was found for it (All offers failed)',
    },
  ],
  [
    'has given up making instances',
    { fleet: { ...TWO, consolidationAttempt: 15, lastConsolidatedAt: NOW }, instances: [DEAD] },
    {
      ...{ state: 'degraded', rules: ['consolidation', 'creation_failed'] },
      attempt: 15,
      summary: 'lacks 2 of `nodes.min`, and no more are created after 15 attempts',
      fixes: ['starts the attempts again'],
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
    'has more unreachable hosts than a summary names',
    {
      fleet: LAB,
      instances: Array.from({ length: 40 }, (_, num) =>
        anInstance(LAB, num, REMOTE, { unreachable: true, unreachableSince: NOW }),
      ),
    },
    {
      ...{ state: 'degraded', rules: Array.from({ length: 40 }, () => 'unreachable') },
      summary: 'until it is back; 35 more problems.',
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
  it.each(FLEETS)('is explained: %s', (_name, one, expected) => {
    const diagnosis = diagnoseFleet(one);
    expectExplained(diagnosis, expected);
    expect(diagnosis.parts).toHaveLength((one.instances ?? []).length);
  });
});
