import { describe, expect, it } from 'vitest';
import type {
  ArraySnapshot,
  Change,
  DependencyRecord,
  RunRecord,
  RunSnapshot,
} from '../../model/index.ts';
import { directiveOf, memberId, memberRun } from '../../run-spec/array-member.ts';
import { NO_MEMBERS } from '../../status/member-counts.ts';
import { aJobSpec, anInstance, aRun, placedJob, SETTINGS } from '../testing/records.ts';
import { reconcileRun } from './reconcile-run.ts';

const ID = '6f1f5a3e-52a3-4c8e-9d35-ffffffffffff';
const NOW = 1_800_000_000_000_000;

function run(part: Partial<RunRecord> = {}, array: object = { count: 200 }): RunRecord {
  const base = aRun();
  const limits = { max_parallel: 100, max_failures: 0 };
  const configuration = {
    ...{ type: 'task', commands: ['x'], env: {} },
    array: { ...limits, ...array },
  };
  const spec = { ...base.spec, run_name: 'sweep', configuration } as unknown as RunRecord['spec'];
  return { ...base, id: ID, name: 'sweep', spec, desiredReplicas: {}, submittedAt: NOW, ...part };
}

function arrayOf(of: RunRecord, part: Partial<ArraySnapshot> = {}): ArraySnapshot {
  return {
    ...{ id: ID, total: 200, maxParallel: 100, maxFailures: 0, nextPosition: 0, generation: 0 },
    ...{ directive: directiveOf(of), early: [], members: NO_MEMBERS, behind: [], ...part },
  };
}

const EMPTY = {
  ...{ projectName: 'main', dependencies: [], jobs: [], instances: [], fleetUses: [], hosts: [] },
  ...{ reports: [], logEnds: {}, intents: [], volumes: [], overQuota: {}, probes: {} },
  ...{ livenessFailures: {}, requests: null, load: null, gpuSamples: {} },
};

function pass(of: RunRecord, more: Partial<RunSnapshot>) {
  const snapshot: RunSnapshot = { ...EMPTY, run: of, ...more };
  return reconcileRun(snapshot, {
    ...{ now: NOW, newId: () => 'new', settings: SETTINGS, buildJobs: () => [aJobSpec()] },
    nextFire: () => null,
  });
}

const bornIn = (changes: readonly Change[]) =>
  changes.flatMap((change) => (change.type === 'run.insert' ? [change.run] : []));
const setOf = (changes: readonly Change[]) =>
  Object.assign(
    {},
    ...changes.map((change) => (change.type === 'run.update' ? change.set : {})),
  ) as Partial<RunRecord>;
const arraySet = (changes: readonly Change[]) =>
  changes.find((change) => change.type === 'array.update');

describe('the run of an array', () => {
  it('lets some members be born at a time, in the order of their indexes, guarded by its version', () => {
    const of = run();
    const { changes, signals } = pass(of, { array: arrayOf(of) });
    const members = bornIn(changes);
    expect(members.map(({ arrayIndex }) => arrayIndex)).toEqual([...Array(50).keys()]);
    expect(members[3]).toMatchObject({
      ...{ name: 'sweep-3', status: 'pending', arrayId: ID, arraySince: NOW + 3 },
    });
    expect(arraySet(changes)).toMatchObject({ set: { nextPosition: 50 } });
    expect(changes).toContainEqual(expect.objectContaining({ type: 'run.update', id: ID }));
    // The others follow in another pass.
    expect(signals).toContainEqual({ kind: 'run', id: ID });
    expect(signals).toContainEqual({ kind: 'run', id: memberId(ID, 49) });
  });

  it('lets no more be born than may wait or run, and passes over those that exist', () => {
    const of = run({}, { count: 200, indexes: '5-9,20' });
    const members = { ...NO_MEMBERS, running: 97, pending: 1 };
    const { changes, signals } = pass(of, {
      array: arrayOf(of, { total: 6, members, early: [6] }),
    });
    expect(bornIn(changes).map(({ arrayIndex }) => arrayIndex)).toEqual([5, 7]);
    expect(arraySet(changes)).toMatchObject({ set: { nextPosition: 3 } });
    expect(signals).not.toContainEqual({ kind: 'run', id: ID });
  });

  it.each([
    [{ done: 199, failed: 1 }, 0, 'job_failed', 'failed'],
    [{ done: 199, failed: 1 }, 1, 'all_jobs_done', 'done'],
    [{ done: 1, terminated: 199 }, 0, 'all_jobs_done', 'done'],
    [{ terminated: 200 }, 0, 'stopped_by_user', 'terminated'],
  ])('has ended with its last member: %j, %i may fail', (counts, maxFailures, reason, status) => {
    const of = run({ status: 'running' });
    const members = { ...NO_MEMBERS, ...counts };
    const array = arrayOf(of, { members, maxFailures, nextPosition: 200 });
    const { changes } = pass(of, { array });
    expect(setOf(changes)).toMatchObject({ status, terminationReason: reason });
    expect(changes).toContainEqual(expect.objectContaining({ type: 'run.outcome', id: ID }));
    expect(arraySet(changes)).toMatchObject({ set: { isOpen: false } });
  });

  it('goes on while a member has not ended', () => {
    const of = run({ status: 'running' });
    const members = { ...NO_MEMBERS, done: 199, terminating: 1 };
    const { changes } = pass(of, { array: arrayOf(of, { members, nextPosition: 200 }) });
    expect(changes).toEqual([]);
  });

  it('gives a request on as one directive, then reminds those that have not obeyed it', () => {
    const of = run({ status: 'terminating', terminationReason: 'stopped_by_user' });
    const members = { ...NO_MEMBERS, running: 2 };
    const before = directiveOf(run());
    const first = pass(of, { array: arrayOf(of, { members, directive: before }) });
    expect(arraySet(first.changes)).toMatchObject({
      set: { generation: 1, directive: { end: 'stopped_by_user' } },
    });
    expect(bornIn(first.changes)).toEqual([]);
    expect(first.signals).toEqual([{ kind: 'run', id: ID }]);
    const behind = [memberId(ID, 0), memberId(ID, 1)];
    const second = pass(of, { array: arrayOf(of, { members, generation: 1, behind }) });
    expect(second.signals).toEqual(behind.map((id) => ({ kind: 'run', id })));
    expect(setOf(second.changes)).toEqual({ nextPassAt: NOW + 1_000_000 });
  });

  it('leaves the queue when it is held before a member runs', () => {
    const of = run({ hold: { by: 'ann', since: NOW } });
    const { changes } = pass(of, {
      array: arrayOf(of, { members: { ...NO_MEMBERS, submitted: 3 } }),
    });
    expect(setOf(changes).status).toBe('pending');
    expect(bornIn(changes)).toEqual([]);
  });

  it.each<[string, Partial<RunRecord>]>([
    ['is held', { hold: { by: 'ann', since: NOW } }],
    ['waits for other runs', { dependencyState: 'open' }],
  ])('ends with its last member also while it %s', (_, part) => {
    const of = run({ status: 'pending', ...part });
    const members = { ...NO_MEMBERS, terminated: 200 };
    const open: DependencyRecord = {
      ...{ upstreamId: 'other', name: 'other', on: 'end', keep: false, outcome: null },
    };
    const { changes } = pass(of, {
      array: arrayOf(of, { members, nextPosition: 200 }),
      dependencies: part.dependencyState === 'open' ? [open] : [],
    });
    const ended = { status: 'terminated', terminationReason: 'stopped_by_user' };
    expect(setOf(changes)).toMatchObject(ended);
    expect(arraySet(changes)).toMatchObject({ set: { isOpen: false } });
  });

  it('is running while a member runs that was released alone', () => {
    const of = run({ status: 'pending', hold: { by: 'ann', since: NOW } });
    const members = { ...NO_MEMBERS, pending: 2, running: 1 };
    const { changes } = pass(of, { array: arrayOf(of, { members, nextPosition: 3 }) });
    expect(setOf(changes).status).toBe('running');
    expect(bornIn(changes)).toEqual([]);
  });

  it('has members with ids of their own, also at the end of the range', () => {
    expect(memberId(ID, 0)).toBe('6f1f5a3e-52a3-4c8e-9d35-000000000000');
    expect(new Set([...Array(10_000).keys()].map((index) => memberId(ID, index))).size).toBe(
      10_000,
    );
  });
});

describe('the queue', () => {
  it('has no more than a hundred members of one array, however many may run', () => {
    const of = run({ status: 'running' }, { count: 9000, max_parallel: 9000 });
    const waiting = { submitted: 80, pending: 10 };
    const array = arrayOf(of, { total: 9000, maxParallel: 9000, nextPosition: 100 });
    const members = { ...NO_MEMBERS, ...waiting, running: 10 };
    const { changes, signals } = pass(of, { array: { ...array, members } });
    expect(bornIn(changes)).toHaveLength(10);
    expect(signals).not.toContainEqual({ kind: 'run', id: ID });
    const full = { ...NO_MEMBERS, submitted: 100, running: 10 };
    expect(pass(of, { array: { ...array, members: full } }).changes).toEqual([]);
  });
});

/** The directive that the pass of this array gives. */
function directiveIn(of: RunRecord, array: ArraySnapshot): NonNullable<RunSnapshot['directive']> {
  const set = arraySet(pass(of, { array }).changes)?.set;
  if (set?.directive === undefined) throw new Error('no directive');
  return { generation: set.generation ?? 0, wanted: set.directive };
}

const asOf = ({ generation, wanted }: NonNullable<RunSnapshot['directive']>) => ({
  ...{ generation, directive: wanted },
});

describe('a member of an array', () => {
  const member = (part: Partial<RunRecord> = {}) => ({
    ...memberRun(run(), 3, { now: NOW, generation: 0 }),
    ...part,
  });
  const wanted = directiveOf(run());

  it('ends as its array is to end, and an abort overtakes a stop', () => {
    const stop = { generation: 1, wanted: { ...wanted, end: 'stopped_by_user' as const } };
    expect(setOf(pass(member(), { directive: stop }).changes)).toMatchObject({
      ...{ status: 'terminated', terminationReason: 'stopped_by_user', arraySeen: 1 },
    });
    const ending = member({ status: 'terminating', terminationReason: 'stopped_by_user' });
    const abort = { generation: 2, wanted: { ...wanted, end: 'aborted_by_user' as const } };
    expect(setOf(pass(ending, { directive: abort }).changes).terminationReason).toBe(
      'aborted_by_user',
    );
  });

  it('is held and released with its array, and stays as it was held or released alone since', () => {
    const hold = { by: 'ann', since: NOW - 9 };
    const held = pass(member(), { directive: { generation: 1, wanted: { ...wanted, hold } } });
    expect(setOf(held.changes)).toMatchObject({ hold, arraySeen: 1 });
    const released = { generation: 2, wanted: { ...wanted, eligibleAt: NOW - 5 } };
    const free = pass(member({ hold }), { directive: released });
    expect(setOf(free.changes)).toMatchObject({ hold: null, eligibleAt: NOW - 5 + 3 });
    const runs = member({ status: 'running' });
    const instance = anInstance({ status: 'busy' });
    const job = placedJob(instance, { runId: runs.id, submittedAt: NOW, provisionedAt: NOW });
    const goesOn = pass(runs, {
      ...{ jobs: [job], instances: [instance] },
      directive: { generation: 1, wanted: { ...wanted, hold } },
    });
    expect(setOf(goesOn.changes)).not.toHaveProperty('hold');
    expect(JSON.stringify(goesOn.changes)).not.toContain('run.released');
    const alone = member({ arraySeen: 1 });
    const stays = pass(alone, { directive: { generation: 1, wanted: { ...wanted, hold } } });
    expect(setOf(stays.changes)).not.toHaveProperty('hold');
    const own = pass(member({ hold: { by: 'bob', since: NOW - 1 } }), { directive: released });
    expect(setOf(own.changes)).toEqual({ arraySeen: 2, nextPassAt: null });
  });

  it('is held before its next try, also while its last one is still ending, and starts none', () => {
    const hold = { by: 'ann', since: NOW - 9 };
    const again = member({ status: 'pending', resubmissionAttempt: 1 });
    const instance = anInstance({ status: 'busy' });
    const ending = placedJob(instance, {
      ...{ runId: again.id, status: 'terminating', stopRequestedAt: NOW, statusChangedAt: NOW },
      terminationReason: 'container_exited_with_error',
    });
    const instances = [instance];
    const directive = { generation: 1, wanted: { ...wanted, hold } };
    const held = setOf(pass(again, { jobs: [ending], instances, directive }).changes);
    expect(held).toMatchObject({ hold, arraySeen: 1 });
    expect(held).not.toHaveProperty('status');
    const ended = { ...ending, status: 'failed', instanceId: null, finishedAt: NOW } as const;
    const after = pass({ ...again, ...held }, { jobs: [ended], directive });
    expect(after.changes.map(({ type }) => type)).not.toContain('job.insert');
    expect(setOf(after.changes)).not.toHaveProperty('status');
  });

  it('keeps a priority of its own until that of its array is changed', () => {
    const hold = { by: 'ann', since: NOW };
    const [before, raised] = [run(), run({ priority: 70, hold })];
    const holds = directiveIn(run({ hold }), arrayOf(before));
    const own = member({ priority: 5 });
    const held = setOf(pass(own, { directive: holds }).changes);
    expect(held).toMatchObject({ hold, arraySeen: 1 });
    expect(held).not.toHaveProperty('priority');
    const raises = directiveIn(raised, arrayOf(before, asOf(holds)));
    expect(setOf(pass(member({ ...held, priority: 5 }), { directive: raises }).changes)).toEqual(
      expect.objectContaining({ priority: 70, arraySeen: 2 }),
    );
    // A member that missed it takes it with a later directive; one that has taken it keeps its own.
    const frees = directiveIn(run({ priority: 70 }), arrayOf(before, asOf(raises)));
    expect(setOf(pass(own, { directive: frees }).changes)).toMatchObject({ priority: 70 });
    const later = pass(member({ priority: 9, arraySeen: 2 }), { directive: frees });
    expect(setOf(later.changes)).not.toHaveProperty('priority');
  });
});
