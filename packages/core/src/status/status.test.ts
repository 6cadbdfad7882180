import type { Finding, Refusal } from '@dstack/contract/wire';
import { describe, expect, test } from 'vitest';
import { capabilitiesOf } from '../capabilities/capabilities.ts';
import type { JobTerminationReason, RunTerminationReason } from '../model/index.ts';
import { aJob, aJobSpec, T0 } from '../reconcile/testing/records.ts';
import {
  consolidationDelay,
  isSshHost,
  jobEnd,
  jobError,
  jobStatusMessage,
  killDeadline,
  latestSubmissions,
  provisioningTimeoutSeconds,
  runEnd,
  runError,
  runStatusMessage,
} from './index.ts';

/** Final status, `error` and retry event of each reason, from the wire contract. */
const JOB_REASONS: readonly [JobTerminationReason, string, string | null, string | null][] = [
  ['failed_to_start_due_to_no_capacity', 'failed', null, 'no-capacity'],
  ['interrupted_by_no_capacity', 'failed', null, 'interruption'],
  ['instance_unreachable', 'failed', 'instance unreachable', 'error'],
  ['instance_access_revoked', 'failed', 'instance access revoked', 'error'],
  ['waiting_instance_limit_exceeded', 'failed', 'waiting instance limit exceeded', 'error'],
  ['waiting_runner_limit_exceeded', 'failed', 'waiting runner limit exceeded', 'error'],
  ['terminated_by_user', 'terminated', null, null],
  ['volume_error', 'failed', 'volume error', 'error'],
  ['gateway_error', 'failed', 'gateway error', 'error'],
  ['scaled_down', 'terminated', 'scaled down', null],
  ['done_by_runner', 'done', null, null],
  ['aborted_by_user', 'aborted', null, null],
  ['terminated_by_server', 'terminated', null, null],
  ['inactivity_duration_exceeded', 'terminated', 'inactivity duration exceeded', null],
  ['terminated_due_to_utilization_policy', 'terminated', 'utilization policy', null],
  ['container_exited_with_error', 'failed', null, 'error'],
  ['ports_binding_failed', 'failed', 'ports binding failed', 'error'],
  ['creating_container_error', 'failed', 'runner error', 'error'],
  ['executor_error', 'failed', 'executor error', 'error'],
  ['max_duration_exceeded', 'terminated', 'max duration exceeded', null],
  ['log_quota_exceeded', 'failed', 'log quota exceeded', 'error'],
  ['liveness_probe_failed', 'failed', 'liveness probe failed', 'error'],
];

const RUN_REASONS: readonly [RunTerminationReason, string, string | null, string, boolean][] = [
  ['all_jobs_done', 'done', null, 'done_by_runner', false],
  ['job_failed', 'failed', null, 'terminated_by_server', true],
  ['retry_limit_exceeded', 'failed', 'retry limit exceeded', 'terminated_by_server', true],
  ['stopped_by_user', 'terminated', null, 'terminated_by_user', true],
  ['aborted_by_user', 'terminated', null, 'aborted_by_user', false],
  ['server_error', 'failed', 'server error', 'terminated_by_server', true],
  ['gateway_error', 'failed', 'gateway error', 'terminated_by_server', true],
];

describe('reasons', () => {
  test.each(JOB_REASONS)('%s ends a job as %s', (reason, finalStatus, error, retryEvent) => {
    expect(jobEnd(reason)).toEqual({ finalStatus, error, retryEvent });
    expect(jobError(reason)).toBe(error);
  });

  test.each(RUN_REASONS)(
    '%s ends a run as %s',
    (reason, finalStatus, error, jobReason, graceful) => {
      expect(runEnd(reason)).toEqual({ finalStatus, error, jobReason, graceful });
      expect(runError(reason)).toBe(error);
    },
  );
});

describe('texts of a job', () => {
  test.each([
    ['done', 'done_by_runner', null, 0, 'exited (0)'],
    ['failed', 'container_exited_with_error', null, 7, 'exited (7)'],
    ['failed', 'container_exited_with_error', null, null, 'error'],
    ['failed', 'failed_to_start_due_to_no_capacity', 'no-fleets', null, 'no fleets'],
    ['failed', 'failed_to_start_due_to_no_capacity', null, null, 'no capacity'],
    ['failed', 'interrupted_by_no_capacity', null, null, 'interrupted'],
    ['failed', 'executor_error', null, null, 'error'],
    ['terminated', 'terminated_by_user', null, null, 'stopped'],
    ['terminated', 'scaled_down', null, null, 'terminated'],
    ['aborted', 'aborted_by_user', null, null, 'aborted'],
    ['running', null, null, null, 'running'],
  ] as const)('%s by %s (%s, %s) is "%s"', (status, reason, kind, exitStatus, text) => {
    const refusal = kind === null ? null : { kind };
    const ended = { terminationReason: reason, refusal, exitStatus, hostFault: null, notice: null };
    const unplaced = { instanceId: null, waitingSince: null, reclaim: null };
    expect(jobStatusMessage({ status, disconnectedAt: null, ...unplaced, ...ended })).toBe(text);
  });

  test.each([
    ['running', 5, null, 'running (unreachable)'],
    ['terminating', 5, 'terminate', 'terminating (unreachable)'],
    ['terminating', null, 'interrupt', 'terminating (Ctrl-C)'],
    ['terminating', null, 'terminate', 'terminating (SIGTERM)'],
    ['terminating', null, 'kill', 'terminating (SIGKILL)'],
    ['done', null, 'kill', 'exited (0)'],
  ] as const)('%s, unreachable since %s, stop at %s is "%s"', (status, since, stage, text) => {
    const stop = stage && ({ kind: 'stop', stage } as const);
    expect(jobStatusMessage(aJob({ status, disconnectedAt: since }), stop)).toBe(text);
  });

  test('a job that waits for its machine shows the stage of the machine, shortened', () => {
    const machine = (text: string) => ({ kind: 'machine', text }) as const;
    const job = aJob({ status: 'provisioning' });
    expect(jobStatusMessage(job, machine('booting'))).toBe('provisioning (booting)');
    expect(jobStatusMessage(job, machine('x'.repeat(500)))).toHaveLength(75);
    const long = `${'x'.repeat(100)}: Installing the agent (43 of 68 MB)`;
    expect(jobStatusMessage(job, machine(long))).toMatch(/^provisioning \(x+… \(43 of 68 MB\)\)$/);
    expect(jobStatusMessage(job, machine(long))).toHaveLength(75);
    expect(jobStatusMessage({ ...job, status: 'running' }, machine('booting'))).toBe('running');
    // The backend prepares itself for its first machine.
    const submitted = jobStatusMessage({ ...job, status: 'submitted' }, machine('copying'));
    expect(submitted).toBe('submitted (copying)');
  });
});

describe('texts of a run', () => {
  const capacity = aJobSpec({ retry: { on_events: ['no-capacity'], duration: 60 } });
  const lost = { terminationReason: 'failed_to_start_due_to_no_capacity' } as const;

  test('are pulling only when every job pulls', () => {
    const two = [aJob({ status: 'pulling' }), aJob({ id: 'b', jobNum: 1, status: 'pulling' })];
    expect(runStatusMessage({ status: 'provisioning' }, two)).toBe('pulling');
    const one = [two[0]!, aJob({ id: 'b', jobNum: 1, status: 'running' })];
    expect(runStatusMessage({ status: 'running' }, one)).toBe('running');
  });

  test('show a condition that holds for every job', () => {
    const jobs = [
      aJob({ status: 'running', disconnectedAt: 5 }),
      aJob({ id: 'b', jobNum: 1, status: 'running' }),
    ];
    const running = { status: 'running' } as const;
    expect(runStatusMessage(running, jobs.slice(0, 1))).toBe('running (unreachable)');
    expect(runStatusMessage(running, jobs)).toBe('running');
    const ending = [aJob({ id: 'c', status: 'terminating' })];
    const text = runStatusMessage({ status: 'terminating' }, ending, {
      c: { kind: 'stop', stage: 'terminate' },
    });
    expect(text).toBe('terminating (SIGTERM)');
  });

  test('are retrying while a submission follows one that found no capacity', () => {
    const jobs = [
      aJob({ spec: capacity, status: 'failed', ...lost }),
      aJob({ id: 'b', spec: capacity, submissionNum: 1 }),
    ];
    expect(runStatusMessage({ status: 'submitted' }, jobs)).toBe('retrying');
    expect(runStatusMessage({ status: 'running' }, jobs)).toBe('running');
    const never = jobs.map((job) => ({ ...job, spec: aJobSpec() }));
    expect(runStatusMessage({ status: 'submitted' }, never)).toBe('submitted');
  });

  test('are retrying while a submission waits for capacity', () => {
    const waiting = aJob({ refusal: { kind: 'no-fleets' }, waitingSince: 5 });
    expect(runStatusMessage({ status: 'submitted' }, [waiting])).toBe('retrying');
  });

  test('of an array whose members only wait are its status', () => {
    const waiting = aJob({ refusal: { kind: 'no-fleets' }, waitingSince: 5 });
    expect(runStatusMessage({ status: 'submitted' }, [waiting], {}, true)).toBe('submitted');
  });

  test('a job that waits for something else than capacity has a word for it, as its run', () => {
    const waiting = aJob({ status: 'submitted', waitingSince: T0, instanceId: null });
    const found = (rule: Finding['rule']): Finding => ({
      ...{ rule, asked: null, has: null, count: 1, property: null },
    });
    const inFleets = (...rules: Finding['rule'][]): Refusal => ({
      ...{ kind: 'no-place', nodes: 1, selected: false },
      fleets: rules.map((rule) => ({
        ...{ fleet: 'lab', verdict: 'full', pool: [found(rule)], growth: null },
      })),
    });
    const quota = {
      ...({ kind: 'quota', resource: 'gpu', used: 1, limit: 1, needed: 1 } as const),
      ...({ of: 'project', fleet: null, held: false } as const),
    };
    const reclaim = { at: T0, kind: 'reclaim', runs: [], instances: [] } as never;
    const cases = [
      [{ refusal: quota }, 'quota', 'quota'],
      [{ refusal: inFleets('busy'), reclaim }, 'preempting', 'preempting'],
      [{ refusal: inFleets('maintenance') }, 'maintenance', 'maintenance'],
      [{ refusal: inFleets('maintenance', 'busy') }, 'submitted', 'retrying'],
      [{ refusal: inFleets('busy') }, 'submitted', 'retrying'],
    ] as const;
    for (const [patch, ofJob, ofRun] of cases) {
      const job = { ...waiting, ...patch };
      expect(jobStatusMessage(job)).toBe(ofJob);
      expect(runStatusMessage({ status: 'submitted' }, [job])).toBe(ofRun);
    }
  });

  test('are the status where there are no jobs', () => {
    expect(runStatusMessage({ status: 'pending' }, [])).toBe('pending');
  });
});

describe('deadlines', () => {
  test('consolidation delays grow to half an hour', () => {
    expect([0, 1, 2, 3, 4, 9].map((n) => consolidationDelay(n) / 60_000_000)).toEqual([
      1, 2, 5, 10, 30, 30,
    ]);
  });

  test.each([
    ['lambda', '', 30],
    ['cloudrift', '', 30],
    ['runpod', '', 20],
    ['oci', 'BM.GPU4.8', 20],
    ['oci', 'VM.GPU.A10.1', 10],
    ['vultr', 'vbm-256c', 55],
    ['gcp', 'a4-highgpu-8g', 16],
    ['aws', 'p5.48xlarge', 10],
    [null, '', 10],
  ] as const)('a machine of %s (%s) has %i minutes to come up', (backend, type, minutes) => {
    expect(provisioningTimeoutSeconds(backend, type)).toBe(minutes * 60);
  });

  test('a graceful stop ends a margin after stop_duration, a kill at once, off never', () => {
    const asked = (stop_duration: number | null, stopGraceful: boolean) =>
      killDeadline(
        {},
        aJob({ spec: aJobSpec({ stop_duration }), stopRequestedAt: T0, stopGraceful }),
      );
    expect(asked(20, true)).toBe(T0 + 30_000_000);
    expect(asked(20, false)).toBe(T0);
    expect(asked(null, true)).toBeNull();
    expect(killDeadline({}, aJob())).toBeNull();
  });
});

test('the latest submission of each job counts, by replica and number', () => {
  const jobs = [
    aJob({ id: 'c', replicaNum: 1 }),
    aJob({ id: 'b', submissionNum: 1 }),
    aJob({ id: 'a' }),
    aJob({ id: 'd', jobNum: 1 }),
  ];
  expect(latestSubmissions(jobs).map((job) => job.id)).toEqual(['b', 'd', 'c']);
});

test('the machines that users own are the SSH hosts', () => {
  for (const backend of ['aws', 'kubernetes', 'remote', 'local', null] as const) {
    expect(isSshHost(backend)).toBe(capabilitiesOf(backend).owner === 'user');
  }
});
