import { SECOND } from '@dstack/core';
import { unavailable } from '@dstack/proxy';
import { describe, expect, it } from 'vitest';
import { type ReplicaJob, type ServiceState, unavailabilityOf } from './unavailability.ts';
import { shownUnavailability } from './unavailability-text.ts';

const NOW = 1_000_000 * SECOND;
const ago = (seconds: number) => NOW - seconds * SECOND;

type JobPart = Partial<Omit<ReplicaJob, 'spec'>> & { spec?: Partial<ReplicaJob['spec']> };

function job({ spec, ...part }: JobPart): ReplicaJob {
  return {
    ...{ jobNum: 0, replicaNum: 0, submissionNum: 0, status: 'running', registered: false },
    ...{ terminationReason: null, terminationMessage: null, exitStatus: null, refusal: null },
    ...{ runningAt: ago(1), statusChangedAt: ago(1), disconnectedAt: null, ...part },
    spec: { probes: [], replica_group: '0', ...spec } as never,
  };
}

const scaling = { metric: 'rps', target: 1 };
const scaled = { type: 'service', replicas: { min: 0, max: 2 }, scaling, groups: null };

function state(jobs: readonly JobPart[], run: Partial<ServiceState['run']> = {}): ServiceState {
  const configuration = { type: 'service', replicas: { min: 1, max: 1 }, groups: null };
  return {
    run: {
      ...{ spec: { configuration } as never, status: 'running', terminationReason: null },
      ...{ desiredReplicas: { '0': 1 }, nextTriggeredAt: null, ...run },
    },
    jobs: jobs.map(job),
  };
}

const why = (jobs: readonly JobPart[], run?: Partial<ServiceState['run']>) =>
  unavailabilityOf(state(jobs, run), NOW);

const exited = (submissionNum: number, exitStatus = 3): JobPart => ({
  ...{ status: 'failed', terminationReason: 'container_exited_with_error' },
  ...{ submissionNum, exitStatus },
});
const noCapacity: JobPart = {
  ...{ status: 'failed', terminationReason: 'failed_to_start_due_to_no_capacity' },
  terminationMessage: 'No offers',
};
const probed = { probes: [{ ready_after: 1 }] as never };
const failedRun = { status: 'failed', terminationReason: 'job_failed' } as const;

describe('a service is not available because', () => {
  it.each<[string, readonly JobPart[], Partial<ServiceState['run']>, unknown]>([
    ['it waits for an instance', [{ status: 'submitted' }], {}, ['starting', 'waiting']],
    ['its machine is made', [{ status: 'provisioning' }], {}, ['starting', 'machine']],
    ['its image is pulled', [{ status: 'pulling' }], {}, ['starting', 'image']],
    ['its app has just begun', [{ spec: probed }], {}, ['starting', 'app']],
    ['its job is about to be started', [{ runningAt: ago(99) }], {}, ['starting', 'app']],
    ['its probe fails', [{ spec: probed, runningAt: ago(40) }], {}, ['failing_probe', 40]],
    ['its host is lost', [{ registered: true, disconnectedAt: ago(9) }], {}, ['unreachable']],
    ['there is no capacity', [noCapacity], failedRun, ['no_capacity', null, 'No offers']],
    [
      'it waits for what is not there',
      [{ status: 'submitted', refusal: { kind: 'no-fleets' } }],
      {},
      ['no_capacity', { kind: 'no-fleets' }],
    ],
    [
      'there was none at the last try',
      [noCapacity, { submissionNum: 1, status: 'submitted' }],
      {},
      ['no_capacity', null, 'No offers'],
    ],
    ['its app has exited', [exited(0)], failedRun, ['exited', 3]],
    [
      'its app has ended well',
      [{ status: 'done', terminationReason: 'done_by_runner', exitStatus: 0 }],
      { status: 'done', terminationReason: 'all_jobs_done' },
      ['exited', 0],
    ],
    [
      'its app is started anew',
      [exited(0), { submissionNum: 1, status: 'pulling' }],
      {},
      ['exited', 3],
    ],
    [
      'its app exits time and again',
      [exited(0), exited(1), exited(2, 4), { submissionNum: 3, status: 'submitted' }],
      {},
      ['crash_loop', 4, 3],
    ],
    [
      'it was lost on the way',
      [{ status: 'failed', terminationReason: 'instance_unreachable', terminationMessage: 'gone' }],
      failedRun,
      ['failed', 'instance_unreachable', 'gone'],
    ],
    [
      'it is scaled to nothing',
      [{ status: 'terminated', terminationReason: 'scaled_down' }],
      { status: 'pending', desiredReplicas: { '0': 0 }, spec: { configuration: scaled } as never },
      ['scaled_to_zero', true],
    ],
    [
      'no replica of it is requested',
      [],
      { status: 'pending', desiredReplicas: { '0': 0 } },
      ['scaled_to_zero', false],
    ],
    [
      'its last replica goes',
      [{ status: 'terminating', terminationReason: 'scaled_down' }],
      {},
      ['stopping'],
    ],
    [
      'its schedule has not come',
      [],
      { status: 'pending', nextTriggeredAt: ago(-90) },
      ['scheduled', ago(-90)],
    ],
    [
      'a user has stopped it',
      [exited(0), { status: 'terminated', terminationReason: 'terminated_by_user' }],
      { status: 'terminated', terminationReason: 'stopped_by_user' },
      ['ended', 'stopped_by_user'],
    ],
    ['it has failed before it had a job', [], failedRun, ['ended', 'job_failed']],
  ])('%s', (_what, jobs, run, expected) => {
    const one = why(jobs, run);
    expect(one && Object.values(one).slice(0, (expected as unknown[]).length)).toEqual(expected);
  });

  it('of several replicas, the one closest to answering decides the reason', () => {
    const jobs: JobPart[] = [
      { ...noCapacity, replicaNum: 0 },
      { ...exited(0), replicaNum: 1 },
      { replicaNum: 2, status: 'pulling' },
    ];
    expect(why(jobs)).toEqual({ cause: 'starting', stage: 'image' });
    expect(why(jobs.slice(0, 2))).toMatchObject({ cause: 'exited' });
  });

  it('of several groups, the router decides the reason', () => {
    const router = { name: 'router', router: { type: 'smg' } };
    const groups = [router, { name: 'worker' }];
    const spec = { configuration: { type: 'service', replicas: null, groups } } as never;
    const jobs: JobPart[] = [
      { replicaNum: 0, status: 'pulling', spec: { replica_group: 'router' } },
      { replicaNum: 1, registered: true, spec: { replica_group: 'worker' } },
    ];
    expect(why(jobs, { spec })).toEqual({ cause: 'starting', stage: 'image' });
  });
});

it('a service with a replica that accepts requests is available', () => {
  expect(
    why([
      { ...exited(0), replicaNum: 0 },
      { replicaNum: 1, registered: true },
    ]),
  ).toBeNull();
});

describe('the caller', () => {
  const service = { projectName: 'main', runName: 'web' };
  const refusal = (
    jobs: readonly JobPart[],
    run: Partial<ServiceState['run']>,
    forMembers = true,
  ) => {
    const one = why(jobs, run);
    if (one === null) throw new Error('it is available');
    const { status, message, code, retryAfter } = unavailable(
      service,
      shownUnavailability(one, NOW),
      forMembers,
    );
    return { status, code, retryAfter, message: message.replace('Service main/web is not ', '') };
  };

  it.each<[readonly JobPart[], Partial<ServiceState['run']>, string, number]>([
    [[noCapacity], failedRun, 'available: no capacity: No offers', 30],
    [
      [{ status: 'submitted', refusal: { kind: 'no-fleets' } }],
      {},
      "available: no capacity: No matching fleet found: the project has none. Create one with 'dstack apply'",
      30,
    ],
    [[exited(0)], failedRun, 'available: exited with code 3', 60],
    [[{ ...exited(0), exitStatus: null }], failedRun, 'available: could not be started', 60],
    [
      [exited(0), { submissionNum: 1, status: 'pulling' }],
      {},
      'available: exited with code 3, is being started again',
      5,
    ],
    [
      [exited(0), exited(1), exited(2)],
      failedRun,
      'available: crash loop: exited with code 3, 3 times in a row',
      30,
    ],
    [[{ status: 'pulling' }], {}, 'available: starting: its image is being pulled', 5],
    [
      [{ spec: probed, runningAt: ago(40) }],
      {},
      'available: failing probe: it has run for 40 s without being ready',
      10,
    ],
    [
      [],
      { desiredReplicas: {} },
      'available: scaled to 0: apply it with more `replicas` to start it',
      60,
    ],
    [
      [],
      { nextTriggeredAt: ago(-90) },
      'available: not running: its schedule starts it at 1970-01-12T13:48:10.000Z',
      90,
    ],
  ])('receives the text %j', (jobs, run, message, retryAfter) => {
    expect(refusal(jobs, run)).toMatchObject({ status: 503, message, retryAfter });
  });

  it('receives only the cause if every caller may use the service', () => {
    expect(refusal([noCapacity], failedRun, false)).toMatchObject({
      ...{ message: 'available: no capacity', code: 'no_capacity' },
    });
  });

  it('receives one line, whatever a backend has returned', () => {
    const terminationMessage = `a\n\t\x1bb${'c'.repeat(1000)}`;
    const { message } = refusal([{ ...noCapacity, terminationMessage }], failedRun);
    expect(message).toMatch(/no capacity: a bc+…$/);
    expect(message.length).toBeLessThan(600);
  });
});
