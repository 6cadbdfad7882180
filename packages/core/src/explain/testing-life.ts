/** Shared by the tests of runs that have or had a place. */
import { expect } from 'vitest';
import type { IntentRecord, JobRecord } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { aFleet, aGang, anInstance, anOffer, aRun, CLOUD } from '../placement/testing.ts';
import { aHost } from '../reconcile/testing/records.ts';
import { diagnose, NOW, type Situation } from './testing.ts';

export const LAB = aFleet('lab', { ssh_config: { user: 'u', hosts: ['a', 'b'] } });
export const REMOTE = { backend: 'remote', region: 'remote', price: 0 } as const;
export const HOST = anInstance(LAB, 0, anOffer(REMOTE), { status: 'busy', busyBlocks: 1 });
export const ON_HOST = { instanceId: HOST.id, claimedBlocks: 1, provisionedAt: NOW } as const;
export const JOB = 'job-train-0-0';

/** The job has a place on a host whose agent is connected. */
export const PLACED: Situation = {
  run: { status: 'provisioning', fleetId: LAB.id },
  job: { ...ON_HOST, status: 'provisioning' },
  fleets: [LAB],
  instances: [HOST],
  hosts: [aHost({ id: HOST.id, since: NOW })],
};
export const RUNNING: Situation = {
  ...PLACED,
  run: { status: 'running', fleetId: LAB.id },
  job: { ...ON_HOST, status: 'running', runningAt: NOW },
};
export const LOST = {
  hosts: [aHost({ id: HOST.id, since: NOW, connected: false, error: 'no route' })],
};

export function stopping(job: Partial<JobRecord>): Situation {
  const asked = {
    stopRequestedAt: NOW,
    stopGraceful: true,
    terminationReason: 'terminated_by_user',
  };
  return {
    ...RUNNING,
    run: { status: 'terminating', terminationReason: 'stopped_by_user' },
    job: { ...RUNNING.job, ...asked, status: 'terminating', ...job } as Partial<JobRecord>,
  };
}

export function failed(job: Partial<JobRecord>, run: Situation['run'] = {}): Situation {
  return {
    run: { status: 'failed', terminationReason: 'job_failed', ...run },
    job: { status: 'failed', runningAt: NOW, finishedAt: NOW + 30 * SECOND, ...job },
  };
}

export const crashed = (attempt: number): Partial<JobRecord> => ({
  ...{ status: 'failed', terminationReason: 'container_exited_with_error', exitStatus: 1, attempt },
  ...{ runningAt: NOW - 5 * SECOND, finishedAt: NOW, provisionedAt: NOW },
});

export function intent(
  kind: IntentRecord['kind'],
  subjectId: string,
  payload: object,
): IntentRecord {
  return {
    ...{ key: `${kind}:${subjectId}:0`, kind, subjectId, attempt: 0, state: 'announced' },
    ...{ result: null, error: null, createdAt: NOW, updatedAt: NOW },
    payload: { kind, ...payload } as IntentRecord['payload'],
  };
}

export const SERVICE = {
  ...{ type: 'service', port: 80, replicas: 3, retry: true },
  probes: [{ type: 'http', url: '/health', ready_after: 2 }],
};

export function service(replicas: readonly Partial<JobRecord>[], more: Situation = {}): Situation {
  const run = { status: 'running', fleetId: LAB.id, desiredReplicas: { '0': 3 } } as const;
  const record = aRun('train', SERVICE, run);
  const jobs = replicas.flatMap((patch, n) => aGang(record, n, patch).jobs);
  return { ...RUNNING, configuration: SERVICE, run, jobs, ...more };
}

const SERVING = { ...ON_HOST, status: 'running', runningAt: NOW, ready: true } as const;
export const UP = { ...SERVING, ready: false } as const;
export const READY = { ...SERVING, registered: true } as const;
export const PENDING = anInstance(CLOUD, 0, anOffer(), {
  ...{ status: 'pending', provisioningData: null, provisioningJobId: JOB, busyBlocks: 1 },
});

export interface Expected {
  readonly state: string;
  readonly rules: readonly string[];
  readonly summary: string;
  /** Seconds from `NOW`. */
  readonly until?: number;
  readonly attempt?: number;
  readonly fixes?: readonly string[];
  /** Texts of the reasons. */
  readonly reasons?: readonly string[];
}

export type Lives = readonly [name: string, situation: Situation, expected: Expected];

export function expectLife(situation: Situation, expected: Expected): void {
  const diagnosis = diagnose(situation);
  expect(diagnosis).toMatchObject({ state: expected.state });
  expect(diagnosis.reasons.map((one) => one.rule)).toEqual(expected.rules);
  expect(diagnosis.summary).toContain(expected.summary);
  expect(diagnosis.summary).not.toMatch(/\b(null|undefined|NaN)\b/);
  const isOver = expected.state === 'ended' || expected.state === 'running';
  expect(diagnosis.waiting_for).toBe(isOver ? null : expected.rules[0]);
  if (expected.until !== undefined) {
    expect(Math.round(((diagnosis.until ?? 0) - NOW) / SECOND)).toBe(expected.until);
  }
  if (expected.attempt !== undefined) expect(diagnosis.attempt).toBe(expected.attempt);
  if (expected.reasons) {
    expect(diagnosis.reasons.map(({ text }) => text)).toEqual(expected.reasons);
  }
  const fixes = diagnosis.fixes.map(({ text, command, value }) =>
    [text, command, value].join('\n'),
  );
  for (const wanted of expected.fixes ?? []) expect(fixes.join('\n')).toContain(wanted);
}
