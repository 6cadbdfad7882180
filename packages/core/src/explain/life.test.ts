/** Explanations of runs that have a place, wait for something else, or have ended. */
import { describe, expect, it } from 'vitest';
import type { AttachmentRecord, JobRecord, JobVolume } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { aFleet, aGang, anInstance, anOffer, aRun, CLOUD } from '../placement/testing.ts';
import { aHost, aJobSpec, aReport } from '../reconcile/testing/records.ts';
import { diagnose, NOW } from './testing.ts';
import {
  crashed,
  expectLife,
  failed,
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
  SERVICE,
  stopping,
} from './testing-life.ts';

const MOUNTS = aJobSpec({ volumes: [{ name: 'data', path: '/data' }] });

function mounted(status: AttachmentRecord['status'], error: string | null = null): JobVolume {
  const attachment = { id: 'a', volumeId: 'v', instanceId: HOST.id, status, statusChangedAt: NOW };
  return {
    ...{ volumeId: 'v', jobId: JOB, mountNum: 0, name: 'data', hasOthers: false },
    releasedAt: status === 'detaching' ? NOW : null,
    attachment: { ...attachment, error, attachmentData: null, version: 1 },
  };
}

const SITUATIONS: readonly Lives[] = [
  [
    'waits for its schedule',
    {
      configuration: { schedule: { cron: '0 8 * * *' } },
      run: { status: 'pending', nextTriggeredAt: NOW + 3601 * SECOND },
      jobs: [],
    },
    {
      ...{ state: 'scheduled', rules: ['schedule'], until: 3601 },
      summary: 'waits for its schedule (0 8 * * *): it starts at 2023-11-14 23:13:21 UTC, in 1 h',
    },
  ],
  [
    'is held, whatever else it waits for',
    {
      configuration: { schedule: { cron: '0 8 * * *' } },
      run: { status: 'pending', hold: { by: 'ann', since: NOW - 60 * SECOND } },
      jobs: [],
    },
    {
      ...{ state: 'held', rules: ['held'] },
      summary: 'is held by ann: it stays out of the queue until it is released',
      fixes: ['dstack release train'],
    },
  ],
  [
    'waits for other runs, and names the chain',
    {
      run: { status: 'pending', dependencyState: 'open' },
      jobs: [],
      dependencies: [
        { upstreamId: 'b', name: 'tune', on: 'success', keep: false, outcome: null },
        { upstreamId: 'x', name: 'gone', on: 'end', keep: false, outcome: 'success' },
      ],
      upstreams: [
        {
          run: { id: 'b', name: 'tune', status: 'pending', hold: null, dependencyState: 'open' },
          dependencies: [
            { upstreamId: 'a', name: 'prepare', on: 'end', keep: false, outcome: null },
          ],
        },
        {
          run: { id: 'a', name: 'prepare', status: 'running', hold: null, dependencyState: null },
          dependencies: [],
        },
      ],
    },
    {
      ...{ state: 'waiting', rules: ['dependency'] },
      summary:
        'waits until run tune is done, which waits until run prepare has ended, which is running.',
      fixes: ['dstack explain run tune'],
    },
  ],
  [
    'waits although a run that it depends on has failed',
    {
      run: { status: 'pending', dependencyState: 'unmet' },
      jobs: [],
      dependencies: [
        { upstreamId: 'b', name: 'tune', on: 'success', keep: true, outcome: 'failure' },
      ],
    },
    {
      ...{ state: 'waiting', rules: ['dependency'] },
      summary: 'depends on the success of run tune, which has failed, and waits to be released.',
      fixes: ['dstack release train'],
    },
  ],
  [
    'has failed, since a run that it depends on has',
    {
      run: { status: 'failed', terminationReason: 'server_error', dependencyState: 'unmet' },
      jobs: [],
      dependencies: [
        { upstreamId: 'b', name: 'tune', on: 'success', keep: false, outcome: 'failure' },
      ],
    },
    {
      ...{ state: 'ended', rules: ['dependency'] },
      summary: 'could not start: it depends on the success of run tune, which has failed.',
    },
  ],
  [
    'has a schedule that never comes',
    {
      configuration: { schedule: { cron: '0 0 31 feb *' } },
      run: { status: 'pending' },
      jobs: [],
    },
    { state: 'scheduled', rules: ['schedule'], summary: 'it starts never' },
  ],
  [
    'waits for its volume',
    { ...PLACED, job: { ...PLACED.job, spec: MOUNTS }, mounted: [mounted('attaching')] },
    {
      ...{ state: 'starting', rules: ['attaching'], until: 300 },
      summary: 'waits until volume data is attached to lab-0',
    },
  ],
  [
    'has ended, and waits until its volume is detached',
    {
      ...stopping({ stopGraceful: false }),
      reports: [
        aReport(JOB, { phase: 'exited', exit: { status: 0, reason: null, message: null } }),
      ],
      mounted: [mounted('detaching', 'device is busy')],
    },
    {
      ...{ state: 'stopping', rules: ['detaching'] },
      summary: 'waits until volume data is detached (device is busy)',
    },
  ],
  [
    'waits between two attempts',
    {
      configuration: { retry: true },
      run: { status: 'pending', resubmissionAttempt: 1 },
      job: crashed(0),
    },
    {
      ...{ state: 'retrying', rules: ['retry_delay'], attempt: 2, until: 1 },
      summary: 'failed after 5 s: its process failed, with exit status 1; attempt 2 begins in 1 s',
      fixes: ['dstack logs train'],
    },
  ],
  [
    'crashes again and again',
    {
      configuration: { retry: true },
      run: { status: 'pending', resubmissionAttempt: 5 },
      job: { ...crashed(5), exitStatus: 137 },
    },
    {
      ...{ state: 'retrying', rules: ['crash_loop'], attempt: 7, until: 31 },
      summary:
        'fails again and again, now after 5 s: its process failed, with exit status 137 (killed',
      fixes: ['dstack logs train', 'dstack stop train'],
    },
  ],
  [
    'starts once more after it has failed',
    {
      ...PLACED,
      configuration: { retry: true },
      jobs: [
        ...aGang(aRun('train', { retry: true }), 0, { id: 'first', ...crashed(3) }).jobs,
        ...aGang(aRun('train', { retry: true }), 0, {
          ...{ ...ON_HOST, status: 'provisioning', submissionNum: 1, attempt: 4 },
        } as Partial<JobRecord>).jobs,
      ],
    },
    {
      ...{ state: 'starting', rules: ['starting'], attempt: 5 },
      summary: '(attempt 5; the last one ended after 5 s: its process failed, with exit status 1)',
    },
  ],
  [
    'is scaled to zero',
    {
      configuration: { ...SERVICE, replicas: '0..1', scaling: { metric: 'rps', target: 1 } },
      run: {
        ...{ status: 'pending', desiredReplicas: { '0': 0 } },
        serviceSpec: { url: '/proxy/services/main/train/', model: null, options: {} },
      },
      jobs: [],
    },
    {
      ...{ state: 'scaled_to_zero', rules: ['scaled_to_zero'] },
      summary:
        'is scaled to zero, and starts with the first request to /proxy/services/main/train/',
      fixes: ['/proxy/services/main/train/'],
    },
  ],
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
  [
    'is done',
    failed(
      { status: 'done', terminationReason: 'done_by_runner', exitStatus: 0 },
      { status: 'done', terminationReason: 'all_jobs_done' },
    ),
    { state: 'ended', rules: ['ended', 'ended'], summary: 'is done: all of its jobs are done' },
  ],
  [
    'failed by its process',
    failed({ terminationReason: 'container_exited_with_error', exitStatus: 2 }),
    {
      ...{ state: 'ended', rules: ['ended'], fixes: ['dstack logs train'] },
      summary: 'failed. The job ended after 30 s: its process failed, with exit status 2',
    },
  ],
  [
    'failed by what it could not be given',
    failed({
      terminationReason: 'creating_container_error',
      terminationMessage: 'image x: not found',
    }),
    {
      ...{ state: 'ended', rules: ['ended'], fixes: ['dstack logs -d train'] },
      summary: 'its container could not be started: image x: not found',
    },
  ],
  [
    'failed on the server host without the default image',
    {
      ...failed({
        terminationReason: 'creating_container_error',
        terminationMessage: 'pullImage error: dstackai/base: no route to host',
        provisioningData: { backend: 'local' } as never,
      }),
      configuration: { image: null },
    },
    {
      ...{ state: 'ended', rules: ['ended'] },
      ...{ fixes: ['dstack logs -d train', 'DSTACK_LOCAL_EXECUTOR=process'] },
      summary: 'pullImage error',
    },
  ],
  [
    'was tried for as long as retry allows',
    failed(crashed(9), { terminationReason: 'retry_limit_exceeded' }),
    {
      ...{ state: 'ended', rules: ['retry_limit', 'ended'] },
      summary: 'failed: it was tried for as long as `retry` allows',
    },
  ],
  [
    'ran for longer than it may',
    failed({ status: 'terminated', terminationReason: 'max_duration_exceeded' }),
    { state: 'ended', rules: ['ended'], summary: '`max_duration`', fixes: ['max_duration: off'] },
  ],
  [
    'lost its host',
    failed({ terminationReason: 'instance_unreachable' }),
    {
      ...{ state: 'ended', rules: ['ended'], summary: 'its host was lost' },
      fixes: ['on_events: [error, interruption]'],
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
