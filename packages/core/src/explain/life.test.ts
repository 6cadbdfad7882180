/** Explanations of runs that have a place, from the order of their machine to their end. */
import { describe, expect, it } from 'vitest';
import type { JobRecord } from '../model/index.ts';
import { aFleet, aGang, anInstance, anOffer, aRun, CLOUD } from '../placement/testing.ts';
import { aHost, aReport } from '../reconcile/testing/records.ts';
import { diagnose, NOW } from './testing.ts';
import {
  expectLife,
  HOST,
  intent,
  JOB,
  type Lives,
  LOST,
  ON_HOST,
  PENDING,
  PLACED,
  REMOTE,
  RUNNING,
  stopping,
} from './testing-life.ts';

const SITUATIONS: readonly Lives[] = [
  [
    'has its machine made',
    {
      job: { instanceId: PENDING.id, claimedBlocks: 1 },
      fleets: [CLOUD],
      instances: [PENDING],
      intents: [
        intent('instance.create', PENDING.id, { offers: [], maxTries: 25, totalOffers: 12 }),
      ],
    },
    {
      ...{ state: 'creating', rules: ['creating'], until: 3600 },
      summary: 'waits for its machine cloud-0, which is being created (from 12 offers)',
    },
  ],
  [
    'waits for the agent of a machine that starts up',
    {
      ...PLACED,
      ...LOST,
      instances: [{ ...HOST, status: 'provisioning' }],
    },
    {
      ...{ state: 'starting', rules: ['provisioning'], until: 600 },
      summary: 'waits for lab-0: no route',
    },
  ],
  [
    'waits for a machine whose creation has a stage',
    {
      ...PLACED,
      hosts: [],
      instances: [{ ...HOST, status: 'provisioning', terminationMessage: 'waits in its queue' }],
    },
    {
      ...{ state: 'starting', rules: ['provisioning'], until: 600 },
      summary: 'waits for lab-0: waits in its queue',
    },
  ],
  [
    'waits for nodes that are ordered together, without the name of one of them',
    {
      ...PLACED,
      hosts: [],
      instances: [
        { ...HOST, status: 'provisioning', groupId: 'group', terminationMessage: 'in a queue' },
      ],
    },
    {
      ...{ state: 'starting', rules: ['provisioning'], until: 600 },
      summary: 'waits for the nodes of its gang: in a queue',
    },
  ],
  [
    'was placed on a host that went away before it started',
    { ...PLACED, ...LOST },
    {
      ...{ state: 'unreachable', rules: ['unreachable'], until: 600 },
      summary: 'cannot be started: lab-0 is unreachable (no route)',
    },
  ],
  [
    'is handed to its host',
    PLACED,
    { state: 'starting', rules: ['starting'], summary: 'is being sent to the agent of lab-0' },
  ],
  [
    'waits for its uploads',
    { ...PLACED, reports: [aReport(JOB, { phase: 'accepted' })] },
    { state: 'starting', rules: ['starting'], summary: 'code and files are uploaded' },
  ],
  [
    'is started by its host',
    { ...PLACED, reports: [aReport(JOB, { phase: 'starting' })] },
    { state: 'starting', rules: ['starting'], summary: 'is being started' },
  ],
  [
    'is started by a host that does not go on',
    {
      ...PLACED,
      reports: [aReport(JOB, { phase: 'starting', waits_for: 'an answer of the Docker daemon' })],
    },
    {
      ...{ state: 'starting', rules: ['starting'] },
      summary: 'is being started, and waits on lab-0 for an answer of the Docker daemon',
    },
  ],
  [
    'pulls its image',
    {
      ...PLACED,
      job: { ...ON_HOST, status: 'pulling' },
      reports: [
        aReport(
          JOB,
          { phase: 'pulling' },
          {
            pull: {
              ...{ downloaded_bytes: 2 ** 30, extracted_bytes: 0 },
              ...{ total_bytes: 2 ** 32, is_total_bytes_final: false },
            },
          },
        ),
      ],
    },
    {
      ...{ state: 'starting', rules: ['pulling'], until: 7200 },
      summary: 'pulls its image busybox (1.00 GB of at least 4.00 GB)',
    },
  ],
  [
    'runs',
    RUNNING,
    {
      ...{ state: 'running', rules: [], summary: 'Run train runs on lab-0' },
      fixes: ['dstack logs train'],
    },
  ],
  [
    'is on a host that is unreachable, until it is given up',
    { ...RUNNING, ...LOST, job: { ...RUNNING.job, disconnectedAt: NOW } },
    {
      ...{ state: 'unreachable', rules: ['unreachable'], until: 3600 },
      summary: 'is on lab-0, which is unreachable (no route); it may go on there, and is given up',
      fixes: ['dstack explain instance lab-0'],
    },
  ],
  [
    'is sent Ctrl-C',
    { ...stopping({}), reports: [aReport(JOB, { phase: 'running', stop_stage: 'interrupt' })] },
    {
      ...{ state: 'stopping', rules: ['stopping'], until: 310 },
      summary: 'it was stopped): its process was sent Ctrl-C; it is killed within 5 min 9 s',
      fixes: ['dstack stop --abort train'],
    },
  ],
  [
    'is sent SIGTERM, and never killed',
    {
      ...stopping({}),
      configuration: { stop_duration: 'off' },
      reports: [aReport(JOB, { phase: 'running', stop_stage: 'terminate' })],
    },
    {
      ...{ state: 'stopping', rules: ['stopping'] },
      summary: 'SIGTERM; it is never killed (`stop_duration: off`)',
    },
  ],
  [
    'is killed',
    {
      ...stopping({ stopGraceful: false, terminationReason: 'aborted_by_user' }),
      reports: [aReport(JOB, { phase: 'running', stop_stage: 'kill' })],
    },
    { state: 'stopping', rules: ['stopping'], until: 30, summary: 'was sent SIGKILL' },
  ],
  [
    'has ended, but for its output',
    {
      ...RUNNING,
      reports: [
        aReport(
          JOB,
          { phase: 'exited', log_end: 100, exit: { status: 0, reason: null, message: null } },
          { receivedAt: NOW },
        ),
      ],
      logEnds: { [JOB]: 20 },
    },
    {
      ...{ state: 'stopping', rules: ['log_wait'], until: 300 },
      summary: 'has ended; 80 bytes of its output are still to be stored',
    },
  ],
];

describe('a run', () => {
  it.each(SITUATIONS)('is explained: %s', (_name, situation, expected) => {
    expectLife(situation, expected);
  });

  it('of several nodes waits for those that are not ready yet, by name', () => {
    const cluster = aFleet('cluster', {
      placement: 'cluster',
      ssh_config: { user: 'u', hosts: ['a'] },
    });
    const instances = [0, 1].map((n) =>
      anInstance(cluster, n, anOffer(REMOTE), { status: 'busy', busyBlocks: 1 }),
    );
    const run = aRun('train', { nodes: 2 }, { status: 'provisioning', fleetId: cluster.id });
    const jobs = aGang(run).jobs.map((job, n) => ({
      ...job,
      ...{ status: 'pulling', instanceId: instances[n]?.id ?? '', claimedBlocks: 1 },
      provisioningData: instances[n]?.provisioningData ?? null,
    })) as JobRecord[];
    const diagnosis = diagnose({
      ...{ configuration: { nodes: 2 }, run, jobs, fleets: [cluster], instances },
      hosts: instances.map((one) => aHost({ id: one.id, since: NOW })),
      reports: [
        aReport('job-train-0-0', { phase: 'held' }),
        aReport('job-train-1-0', { phase: 'pulling' }),
      ],
    });
    expect(diagnosis.parts).toMatchObject([
      { rule: 'other_nodes', text: 'is ready, and waits for train-1-0 (pulling)' },
      { rule: 'pulling' },
    ]);
  });

  it('waits for the machine of the router whose address it needs', () => {
    const plain = aRun('llm', {}, { status: 'provisioning', fleetId: CLOUD.id });
    const replicas = { min: 1, max: 1 };
    const groups = [
      { name: 'router', replicas, router: { type: 'dynamo' } },
      { name: 'worker', replicas },
    ];
    const configuration = { ...plain.spec.configuration, type: 'service', port: 80, groups };
    const run = { ...plain, spec: { ...plain.spec, configuration } } as typeof plain;
    const instance = anInstance(CLOUD, 1, anOffer(REMOTE), { status: 'busy', busyBlocks: 1 });
    const [router, worker] = [0, 1].flatMap((num) => aGang(plain, num).jobs) as [
      JobRecord,
      JobRecord,
    ];
    const place = { instanceId: instance.id, claimedBlocks: 1 };
    const diagnosis = diagnose({
      ...{ configuration: {}, run, fleets: [CLOUD], instances: [instance] },
      jobs: [
        { ...router, spec: { ...router.spec, replica_group: 'router' } },
        {
          ...{ ...worker, ...place, status: 'provisioning' },
          provisioningData: instance.provisioningData,
          spec: { ...worker.spec, replica_group: 'worker' },
        },
      ],
      hosts: [aHost({ id: instance.id, since: NOW })],
    });
    expect(diagnosis.parts).toContainEqual(
      expect.objectContaining({ rule: 'other_nodes', text: expect.stringContaining('its router') }),
    );
  });
});
