/** Whom a reservation binds, and who gets the next one. */
import { expect, it } from 'vitest';
import type { ClaimState, Gang, JobRecord, Occupant, QuotaState } from '../model/index.ts';
import {
  aContext,
  aFleet,
  aGang,
  anInstance,
  anOffer,
  aRun,
  jobChange,
  mayUse,
  placed,
} from './testing.ts';

const NOW = aContext().now;
const FLEET = aFleet('pool', {
  ...{ placement: 'cluster', blocks: 4 },
  ssh_config: { hosts: ['h'], user: 'u' },
});
const OFFER = anOffer({ cpus: 32, memoryGb: 128, gpus: 4 });
const A = 'project-1';
const B = 'project-2';
const NONE = { gpu: null, cpu: null, memory: null, instances: null, cost: null };

const host = (num: number, isBusy: boolean) =>
  anInstance(FLEET, num, OFFER, {
    ...{ totalBlocks: 4, busyBlocks: isBusy ? 4 : 0, status: isBusy ? 'busy' : 'idle' },
  });

const ends = (num: number, seconds: number): Occupant => ({
  ...{ instanceId: `pool-${num}`, blocks: 4, startedAt: NOW, runningAt: NOW },
  limit: { seconds, stopSeconds: 0 },
});

const WAITS = { refusal: { kind: 'no-fleets' }, waitingSince: 5 } as const;

interface Asked {
  readonly nodes?: number;
  readonly submittedAt?: number;
  readonly projectId?: string;
}

/** A gang that waits for whole hosts. */
function asks(name: string, asked: Asked, patch: Partial<JobRecord> = {}): Gang {
  const { nodes = 1, submittedAt = 1, projectId = A } = asked;
  const resources = { gpu: 4, cpu: '1..', memory: '1GB..', disk: '1GB..' };
  const run = aRun(name, { nodes, resources, retry: true }, { submittedAt, projectId });
  return aGang(run, 0, { ...WAITS, ...patch });
}

const reserved = (...nums: readonly number[]): Partial<JobRecord> => ({
  reserved: {
    ...{ since: 7, startsAt: NOW },
    shares: nums.map((num) => ({ instanceId: `pool-${num}`, blocks: 4 })),
  },
});

const world = (busy: readonly boolean[], part: object) => ({
  fleets: [FLEET],
  instances: busy.map((isBusy, num) => host(num, isBusy)),
  projects: mayUse([A, B], [FLEET]),
  ...part,
});

const instanceOf = (decision: ReturnType<typeof placed>, name: string) =>
  jobChange(decision, `job-${name}-0-0`)?.instanceId ?? null;
const sharesOf = (decision: ReturnType<typeof placed>, name: string) =>
  jobChange(decision, `job-${name}-0-0`)?.reserved?.shares.map((one) => one.instanceId) ?? null;

it('a gang that came to be ahead reserves next, not one behind it', () => {
  const holder = asks('holder', { submittedAt: 2 }, reserved(0));
  const older = asks('older', { submittedAt: 1 });
  const younger = asks('younger', { submittedAt: 3 });
  const decision = placed(
    world([false, true], { occupants: [ends(1, 100)], gangs: [older, holder, younger] }),
  );
  expect(instanceOf(decision, 'holder')).toBe('pool-0');
  expect(sharesOf(decision, 'older')).toEqual(['pool-1']);
  expect(sharesOf(decision, 'younger')).toBeNull();
});

const guaranteed = (fleetId: string | null): QuotaState => ({
  quota: {
    ...{ id: 'q', projectId: A, fleetId, userId: null },
    ...{ guaranteed: { ...NONE, gpu: 4 }, limits: null, weight: null },
  },
  used: {},
});

const lent: ClaimState = {
  ...{ jobId: 'job-b', version: 3, runId: 'run-b', projectId: B, replicaNum: 0, priority: 0 },
  ...{ instanceId: 'pool-1', blocks: 4, claimedAt: 1, runningAt: NOW, charge: null },
  ...{ isEnding: false, isService: false, isReady: false, eviction: null },
};

it.each([
  ['all fleets', null],
  ['one fleet', FLEET.id],
])('a gang within a guarantee on %s is not bound by the reservation of a borrower', (_on, id) => {
  const borrower = asks('borrower', { nodes: 2, projectId: B }, reserved(0, 1));
  const entitled = asks('entitled', { submittedAt: 9 });
  const quotas = { quotas: [guaranteed(id)], claims: [lent] };
  const gangs = [borrower, entitled];
  const decision = placed(world([false, true], { occupants: [ends(1, 100)], gangs, ...quotas }));
  expect(instanceOf(decision, 'entitled')).toBe('pool-0');
});
