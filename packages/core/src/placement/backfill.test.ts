import { describe, expect, it } from 'vitest';
import { type Gang, type JobRecord, type Occupant, SECOND } from '../model/index.ts';
import {
  aContext,
  aFleet,
  aGang,
  anInstance,
  anOffer,
  aRun,
  jobChange,
  placed,
  refusedWith,
} from './testing.ts';
import { Replay, type ReplayedJob } from './testing-replay.ts';

const job = (
  name: string,
  [arrives = 0, gpus = 1, runs = 1, limit = 1]: readonly number[],
): ReplayedJob => ({ name, arrives, gpus, runs, limit });

it('backfill gives the starts of the textbook', () => {
  const jobs = [
    job('R1', [0, 5, 60, 60]),
    job('R2', [0, 2, 30, 40]),
    job('H', [1, 6, 40, 40]),
    job('S1', [2, 1, 20, 20]),
    job('M1', [3, 2, 90, 90]),
    job('L1', [4, 1, 200, 200]),
    job('S2', [5, 2, 25, 30]),
  ];
  const played = new Replay({ hosts: 8, gpusPerHost: 1 }).play(jobs);
  const starts = Object.fromEntries(played.map((one) => [one.job.name, one.startedAt]));
  expect(starts).toEqual({ R1: 0, R2: 0, H: 60, S1: 2, M1: 100, L1: 22, S2: 30 });
});

const NOW = aContext().now;
const FLEET = aFleet('pool', {
  ...{ placement: 'cluster', blocks: 4 },
  ssh_config: { hosts: ['h'], user: 'u' },
});
const OFFER = anOffer({ cpus: 32, memoryGb: 128, gpus: 4 });

/** A host with so many of its four GPUs in use. */
const host = (num: number, busyBlocks: number) =>
  anInstance(FLEET, num, OFFER, {
    ...{ totalBlocks: 4, busyBlocks, status: busyBlocks === 0 ? 'idle' : 'busy' },
  });

/** Blocks of a host that are in use for so many seconds at most. */
const ends = (num: number, blocks: number, seconds: number, stopSeconds = 0): Occupant => ({
  ...{ instanceId: `pool-${num}`, blocks, startedAt: NOW, runningAt: NOW },
  limit: { seconds, stopSeconds },
});

const WAITS = { refusal: { kind: 'no-fleets' }, waitingSince: 5 } as const;

interface Asked {
  readonly nodes?: number;
  readonly gpus?: number;
  readonly limit?: number;
  readonly priority?: number;
  readonly submittedAt?: number;
}

function asks(name: string, asked: Asked, patch: Partial<JobRecord> = WAITS): Gang {
  const { nodes = 1, gpus = 4, limit, priority = 0, submittedAt = 1 } = asked;
  const resources = { gpu: gpus, cpu: '1..', memory: '1GB..', disk: '1GB..' };
  const run = { nodes, resources, priority, max_duration: limit ?? 'off', retry: true };
  return aGang(aRun(name, run, { submittedAt }), 0, patch);
}

const reservedBy = (decision: ReturnType<typeof placed>, name: string) =>
  jobChange(decision, `job-${name}-0-0`)?.reserved;

const world = (
  busy: readonly number[],
  occupants: readonly Occupant[],
  gangs: readonly Gang[],
) => ({
  fleets: [FLEET],
  instances: busy.map((blocks, num) => host(num, blocks)),
  occupants,
  gangs,
});

describe('the first gang that waits in a fleet', () => {
  const head = asks('head', { nodes: 2 });

  it('reserves the instances that are free earliest, and knows its start', () => {
    const occupants = [ends(0, 4, 100), ends(1, 4, 900), ends(2, 4, 200)];
    const decision = placed(world([4, 4, 4], occupants, [head]));
    expect(reservedBy(decision, 'head')).toEqual({
      since: NOW,
      startsAt: NOW + 200 * SECOND,
      shares: [
        { instanceId: 'pool-2', blocks: 4 },
        { instanceId: 'pool-0', blocks: 4 },
      ],
    });
  });

  it('is the first member of an array, whose others reserve nothing', () => {
    const members = [3, 1, 2].map((index) => {
      const gang = asks(`sweep-${index}`, { nodes: 1 });
      const run = { ...gang.run, arrayId: 'sweep', arrayIndex: index, arraySince: 5 + index };
      return { ...gang, run };
    });
    const occupants = [ends(0, 4, 100), ends(1, 4, 900)];
    const decision = placed(world([4, 4], occupants, members));
    expect(reservedBy(decision, 'sweep-1')?.startsAt).toBe(NOW + 100 * SECOND);
    expect(reservedBy(decision, 'sweep-2')).toBeUndefined();
    expect(reservedBy(decision, 'sweep-3')).toBeUndefined();
  });

  it('leaves idle instances to others, where instances with work are free in time', () => {
    const occupants = [ends(1, 4, 100), ends(2, 4, 100), ends(3, 4, 100)];
    const small = asks('small', { submittedAt: 2 });
    const decision = placed(world([0, 4, 4, 4], occupants, [asks('head', { nodes: 3 }), small]));
    expect(reservedBy(decision, 'head')?.shares.map((one) => one.instanceId)).toEqual([
      'pool-1',
      'pool-2',
      'pool-3',
    ]);
    expect(jobChange(decision, 'job-small-0-0')?.instanceId).toBe('pool-0');
  });

  it('takes no instance of which no end is known, if others have one', () => {
    const occupants = [ends(1, 4, 100), ends(2, 4, 200)];
    const decision = placed(world([4, 4, 4], occupants, [head]));
    expect(reservedBy(decision, 'head')?.shares.map((one) => one.instanceId)).toEqual([
      'pool-2',
      'pool-1',
    ]);
  });

  it('promises no start and holds what is free, if too few ends are known', () => {
    const small = asks('small', { limit: 1, submittedAt: 2 });
    const decision = placed(world([0, 4, 4], [], [head, small]));
    expect(reservedBy(decision, 'head')).toBeUndefined();
    expect(
      refusedWith(placed(world([0, 4, 4], [], [head, asks('small', {}, {})])), 'job-small-0-0'),
    ).toContain('held for a run that is ahead');
    expect(jobChange(decision, 'job-small-0-0')).toBeUndefined();
  });

  it('is not overtaken by the reservation of a gang behind it, if its own start is not known', () => {
    const small = asks('small', { submittedAt: 2 });
    const decision = placed(world([4, 4], [ends(1, 4, 100)], [head, small]));
    expect(decision.changes).toEqual([]);
    const tooLarge = asks('large', { nodes: 3 });
    const other = placed(world([4, 4], [ends(1, 4, 100)], [tooLarge, small]));
    expect(reservedBy(other, 'small')?.startsAt).toBe(NOW + 100 * SECOND);
  });

  it('lets others use what it has reserved until it starts, and no longer', () => {
    const occupants = [ends(1, 4, 100)];
    const fits = asks('fits', { limit: 100, submittedAt: 2 });
    const long = asks('long', { limit: 101, submittedAt: 3 }, {});
    const endless = asks('endless', { submittedAt: 4 }, {});
    for (const late of [long, endless]) {
      const decision = placed(world([0, 4], occupants, [head, late]));
      expect(jobChange(decision, late.jobs[0]?.id ?? '')?.instanceId).toBeUndefined();
      expect(refusedWith(decision, late.jobs[0]?.id ?? '')).toContain(
        'held for a run that is ahead',
      );
    }
    const decision = placed(world([0, 4], occupants, [head, fits]));
    expect(jobChange(decision, 'job-fits-0-0')?.instanceId).toBe('pool-0');
  });

  it('is found by a shorter job behind a longer one that asks for the same', () => {
    const long = asks('long', { limit: 101, submittedAt: 2 });
    const short = asks('short', { limit: 50, submittedAt: 3 });
    const decision = placed(world([0, 4], [ends(1, 4, 100)], [head, long, short]));
    expect(jobChange(decision, 'job-short-0-0')?.instanceId).toBe('pool-0');
  });

  it('leaves the blocks to others that it does not need then', () => {
    const part = asks('part', { gpus: 3 });
    const occupants = [ends(0, 3, 100)];
    const one = asks('one', { gpus: 1, submittedAt: 2 });
    const two = asks('two', { gpus: 1, submittedAt: 3 }, {});
    const decision = placed(world([3], occupants, [part, one, two]));
    expect(reservedBy(decision, 'part')?.shares).toEqual([{ instanceId: 'pool-0', blocks: 3 }]);
    expect(jobChange(decision, 'job-one-0-0')?.instanceId).toBe('pool-0');
    expect(refusedWith(decision, 'job-two-0-0')).not.toBeNull();
  });

  it('knows the end of a job that is being stopped by its `stop_duration`', () => {
    const late = ends(1, 4, 0, 60);
    const decision = placed(world([0, 4], [late], [head]));
    expect(reservedBy(decision, 'head')?.startsAt).toBe(NOW + 60 * SECOND);
    const then = NOW - 60 * SECOND;
    const lost = { ...late, startedAt: then, runningAt: then };
    expect(reservedBy(placed(world([0, 4], [lost], [head])), 'head')).toBeUndefined();
  });
});

describe('the end of a job', () => {
  const head = asks('head', { nodes: 2 });
  const startsAt = (occupant: Occupant) => {
    const decision = placed(world([0, 4], [occupant], [head]));
    const at = reservedBy(decision, 'head')?.startsAt ?? null;
    return [at === null ? null : (at - NOW) / SECOND, decision.again === at];
  };
  const since = (placed: number, runs: number | null): Occupant => ({
    ...ends(1, 4, 100, 30),
    startedAt: NOW - placed * SECOND,
    runningAt: runs === null ? null : NOW - runs * SECOND,
  });

  it('is put off only at the moment at which it was expected, for which a pass is due', () => {
    expect(startsAt(since(10, null))).toEqual([90, true]);
    expect(startsAt(since(40, 10))).toEqual([60, true]);
    expect(startsAt(since(100, 70))).toEqual([30, true]);
    expect(startsAt(since(130, 100))).toEqual([30, true]);
    expect(startsAt(since(160, 130))).toEqual([null, true]);
    expect(startsAt(since(100, null))).toEqual([null, true]);
  });
});

describe('a reservation', () => {
  const reserved = {
    ...{ since: 7, startsAt: NOW + 200 * SECOND },
    shares: [
      { instanceId: 'pool-2', blocks: 4 },
      { instanceId: 'pool-0', blocks: 4 },
    ],
  };
  const head = asks('head', { nodes: 2 }, { ...WAITS, reserved });
  const occupants = [ends(0, 4, 100), ends(2, 4, 200)];

  it('stays where it is, and nothing is written', () => {
    const decision = placed(world([4, 4, 4], [...occupants, ends(1, 4, 200)], [head]));
    expect(decision.changes).toEqual([]);
  });

  it('moves if that brings the start forward', () => {
    const decision = placed(world([4, 4, 4], [...occupants, ends(1, 4, 150)], [head]));
    expect(reservedBy(decision, 'head')).toMatchObject({ since: 7, startsAt: NOW + 150 * SECOND });
  });

  it('moves if that leaves more idle instances to others, at the same start', () => {
    const all = [ends(1, 4, 200), ends(2, 4, 200)];
    const next = asks('next', { submittedAt: 2 });
    const decision = placed(world([0, 4, 4], all, [head, next]));
    expect(reservedBy(decision, 'head')?.shares.map((one) => one.instanceId)).toEqual([
      'pool-1',
      'pool-2',
    ]);
    expect(jobChange(decision, 'job-next-0-0')?.instanceId).toBe('pool-0');
  });

  it('is used first by those that may use it, so that others have the rest', () => {
    const shares = [2, 3, 1].map((num) => ({ instanceId: `pool-${num}`, blocks: 4 }));
    const large = asks('head', { nodes: 3 }, { ...WAITS, reserved: { ...reserved, shares } });
    const short = asks('short', { limit: 50, submittedAt: 2 });
    const next = asks('next', { submittedAt: 3 });
    const all = [ends(2, 4, 200), ends(3, 4, 200)];
    const decision = placed(world([0, 0, 4, 4], all, [large, short, next]));
    expect(jobChange(decision, 'job-short-0-0')?.instanceId).toBe('pool-1');
    expect(jobChange(decision, 'job-next-0-0')?.instanceId).toBe('pool-0');
  });

  it('moves if one of its instances is lost', () => {
    const { instances, ...rest } = world([4, 4, 4], [...occupants, ends(1, 4, 900)], [head]);
    const lost = instances.map((one) =>
      one.id === 'pool-2' ? { ...one, unreachable: true } : one,
    );
    const decision = placed({ ...rest, instances: lost });
    expect(reservedBy(decision, 'head')?.startsAt).toBe(NOW + 900 * SECOND);
  });

  it('has a later start if one of its ends slips', () => {
    const slipped = [ends(0, 4, 100), ends(2, 4, 300), ends(1, 4, 900)];
    const decision = placed(world([4, 4, 4], slipped, [head]));
    expect(reservedBy(decision, 'head')).toEqual({
      ...{ ...reserved, startsAt: NOW + 300 * SECOND },
      promisedAt: NOW + 200 * SECOND,
    });
  });

  it('is closed to others once it waits for twice as long as was expected first', () => {
    const short = asks('short', { limit: 30, submittedAt: 2 });
    const slipped = (since: number) => {
      const late = { since: NOW - since * SECOND, promisedAt: NOW - 100 * SECOND };
      const own = { ...WAITS, reserved: { ...reserved, ...late, startsAt: NOW } };
      const gangs = [asks('head', { nodes: 2 }, own), short];
      return placed(world([0, 4, 4], [ends(2, 4, 60)], gangs));
    };
    expect(jobChange(slipped(240), 'job-short-0-0')?.instanceId).toBe('pool-0');
    expect(jobChange(slipped(160), 'job-short-0-0')?.instanceId).toBeUndefined();
    expect(reservedBy(slipped(160), 'head')).toMatchObject({
      ...{ startsAt: NOW + 60 * SECOND, promisedAt: NOW - 100 * SECOND },
    });
  });

  it('ends if no start is known any more', () => {
    expect(reservedBy(placed(world([4, 4, 4], [], [head])), 'head')).toBeNull();
  });

  it('ends with the wait of its gang, and with it in one decision', () => {
    const decision = placed(world([0, 4, 0], [], [head]));
    expect(jobChange(decision, 'job-head-0-0')).toMatchObject({ reserved: null });
    expect(jobChange(decision, 'job-head-0-0')?.instanceId).toBe('pool-0');
  });

  it('binds a gang that has come to be ahead with the same priority', () => {
    const older = asks('older', { submittedAt: 0 });
    const decision = placed(world([0, 4, 4], [ends(2, 4, 200)], [head, older]));
    expect(jobChange(decision, 'job-older-0-0')?.instanceId).toBeUndefined();
  });

  it('gives way to a higher priority', () => {
    const urgent = asks('urgent', { priority: 1, submittedAt: 9 });
    const decision = placed(world([0, 4, 4], [ends(2, 4, 200)], [head, urgent]));
    expect(jobChange(decision, 'job-urgent-0-0')?.instanceId).toBe('pool-0');
    const larger = asks('larger', { nodes: 3, priority: 1, submittedAt: 9 });
    const all = [ends(0, 4, 100), ends(1, 4, 100), ends(2, 4, 200)];
    const taken = placed(world([4, 4, 4], all, [head, larger]));
    expect(reservedBy(taken, 'larger')?.shares).toHaveLength(3);
    expect(reservedBy(taken, 'head')).toBeNull();
  });

  it('of a gang that is being stopped binds no other', () => {
    const stopped = asks('head', { nodes: 2 }, { ...WAITS, reserved, stopRequestedAt: 1 });
    const next = asks('next', { submittedAt: 2 });
    const decision = placed(world([0, 4, 4], [ends(2, 4, 200)], [stopped, next]));
    expect(jobChange(decision, 'job-next-0-0')?.instanceId).toBe('pool-0');
  });

  it('binds no gang in a fleet that its project may not use any more', () => {
    const next = asks('next', { submittedAt: 2 });
    const theirs = { ...head, run: { ...head.run, projectId: 'project-2' } };
    const decision = placed(world([0, 4, 4], [ends(2, 4, 200)], [theirs, next]));
    expect(jobChange(decision, 'job-next-0-0')?.instanceId).toBe('pool-0');
  });

  it('of the server that had another clock is due now, and is written once', () => {
    const ahead = { ...reserved, startsAt: NOW + 999 * SECOND };
    const behind = asks('head', { nodes: 3 }, { ...WAITS, reserved: ahead });
    const once = placed(world([0, 4, 0], [], [behind]));
    expect(reservedBy(once, 'head')).toBeNull();
  });
});
