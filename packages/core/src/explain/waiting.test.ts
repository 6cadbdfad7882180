/** Explanations of runs that wait for existing instances. */
import { describe, expect, it } from 'vitest';
import { aFleet, aGang, anInstance, anOffer, aRun, CLOUD, task } from '../placement/testing.ts';
import { aNamedRun, diagnose, held, NOW } from './testing.ts';
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
    'several nodes, and a fleet that is no cluster',
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
    'a host that cannot be reached',
    {
      fleets: [LAB],
      instances: [host(0, { unreachable: true, terminationMessage: 'no route to host' })],
    },
    {
      rules: ['unreachable'],
      summary: 'has no place now (lab-0 is unreachable (no route to host))',
      fixes: ['dstack explain instance lab-0'],
    },
  ],
  [
    'a host that fails its health checks',
    { fleets: [LAB], instances: [host(0, { health: 'failure' })] },
    { rules: ['unhealthy'], summary: 'lab-0 fails its health checks' },
  ],
  [
    'a host that is on its way',
    { fleets: [LAB], instances: [host(0, { status: 'provisioning' })] },
    {
      rules: ['not_ready'],
      summary: 'lab-0 is not up yet',
      fixes: ['dstack explain instance lab-0'],
    },
  ],
  [
    'a volume that no machine can mount',
    { configuration: { volumes: ['data:/data'] }, fleets: [LAB], instances: [host(0)] },
    { rules: ['volumes'], summary: 'the volumes asked for cannot be mounted there' },
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
      rivals: [
        {
          gang: aGang(
            aRun('secret', { nodes: 2 }, { projectId: 'project-2', priority: 3 }),
            0,
            WAITS,
          ),
          fleets: [CLUSTER.id],
        },
      ],
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

  it('has its position in the queue, with the runs ahead', () => {
    const first = [aNamedRun('first', 'project-1', 7), aNamedRun('second')];
    const diagnosis = diagnose({
      job: WAITS,
      fleets: [LAB],
      instances: [busy],
      place: { ahead: 2, first },
    });
    expect(diagnosis.position).toBe(3);
    expect(diagnosis.ahead).toMatchObject([
      { run: 'first', project: null, priority: 7, keeps: null },
      { run: 'second' },
    ]);
    expect(diagnosis.summary).toContain('2 runs that ask for the same are ahead');
  });

  it('names three fleets in its summary, and counts the others', () => {
    const given = { ssh_config: { user: 'u', hosts: ['a'] } };
    const fleets = Array.from({ length: 5 }, (_, n) => aFleet(`f${n}`, given));
    const instances = fleets.map((fleet) => anInstance(fleet, 0, anOffer(REMOTE), BUSY));
    const { summary } = diagnose({ fleets, instances });
    expect(summary).toMatch(/fleet f2 is full \(.*\); 2 more fleets do not take it now/);
    expect(summary).not.toContain('f3');
  });

  it('counts instances beyond the first twenty', () => {
    const instances = Array.from({ length: 30 }, (_, n) => host(n, BUSY));
    const { considered, reasons } = diagnose({ fleets: [LAB], instances });
    const rows = considered.filter((row) => row.kind === 'instance');
    expect(rows).toHaveLength(21);
    expect(rows.at(-1)).toMatchObject({ instance: null, count: 10, rule: 'busy' });
    expect(reasons[0]).toMatchObject({ rule: 'busy', count: 30 });
  });

  it('waits for the end of its retry, if it is allowed to wait', () => {
    const diagnosis = diagnose({
      configuration: { retry: { on_events: ['no-capacity'], duration: '1h' } },
      job: WAITS,
      fleets: [LAB],
      instances: [busy],
    });
    expect(diagnosis).toMatchObject({ since: NOW, until: NOW + 3600e6 });
    expect(JSON.stringify(diagnosis.fixes)).not.toContain('retry:');
  });

  it('may wait for a place besides what it retries on already', () => {
    const { fixes } = diagnose({
      configuration: { retry: { on_events: ['error'], duration: '1h' } },
      fleets: [LAB],
      instances: [busy],
    });
    const values = fixes.map((one) => one.value);
    expect(values).toContain('retry:\n  on_events: [no-capacity, error]\n  duration: 1d');
  });

  it('has a command with the path of the applied file', () => {
    const run = aRun('train', { max_price: 1 });
    const spec = { ...run.spec, configuration_path: "my jobs/it's.dstack.yml" };
    const situation = { run: { spec }, fleets: [CLOUD], offers: [anOffer({ price: 2 })] };
    const diagnosis = diagnose({ configuration: { max_price: 1 }, ...situation });
    expect(diagnosis.fixes[0]).toMatchObject({
      command: "dstack apply -f 'my jobs/it'\\''s.dstack.yml' --max-price 2",
      value: 'max_price: 2',
    });
  });

  it('that failed without a place learns where there is one now', () => {
    const failed = { status: 'failed', terminationReason: 'job_failed' } as const;
    const job = {
      status: 'failed',
      terminationReason: 'failed_to_start_due_to_no_capacity',
      refusal: { kind: 'no-fleets' },
      finishedAt: NOW,
    } as const;
    const now = diagnose({ run: failed, job, fleets: [LAB], instances: [host(0)] });
    expect(now).toMatchObject({ state: 'ended', waiting_for: null, position: null });
    expect(now.summary).toContain('Now there is a place for it in fleet lab: apply it again');
    const full = diagnose({ run: failed, job, fleets: [LAB], instances: [busy] });
    expect(full.summary).toContain('Now: fleet lab is full');
    expect(full.fixes.map((one) => one.value)).toContain(
      'retry:\n  on_events: [no-capacity]\n  duration: 1d',
    );
  });

  it('is never advised to wait for itself', () => {
    const gang = task('other');
    const own = { ...held(busy, 'train'), run: aNamedRun('train') };
    const diagnosis = diagnose({
      fleets: [LAB],
      instances: [busy],
      others: [gang],
      holders: [own],
    });
    expect(JSON.stringify(diagnosis.fixes)).not.toContain('dstack stop train');
  });
});
