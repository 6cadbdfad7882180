import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReplicaConnections } from './replica-connections.ts';

/** Long after the start of the replicas. */
const START = 1_000_000;

const target = (jobId: string, isFailing = false, runningAt = 0) => ({
  ...{ jobId, hostId: 'host', port: 1, runningAt, isFailing },
});

function connections(random: () => number = () => 0) {
  const clock = { now: START };
  const open = () => Promise.reject(new Error('unused'));
  const now = () => clock.now;
  const replicas = new ReplicaConnections({ open, timeoutMs: 1000, now, random });
  /** The replica that gets a request; without `hold` the request ends at once. */
  const next = (targets: ReturnType<typeof target>[], hold = false): string | undefined => {
    const replica = replicas.acquire('run', targets);
    if (replica && !hold) replicas.release(replica);
    return replica?.target.jobId;
  };
  const refuse = (jobId: string) => {
    const replica = replicas.acquire('run', [target(jobId)]);
    if (!replica) throw new Error('no replica');
    replicas.release(replica);
    replicas.refused(replica);
    return replica;
  };
  return { replicas, clock, next, refuse };
}

describe('a replica whose probe fails', () => {
  it('gets no request while another one passes its probes', () => {
    const { next } = connections();
    const targets = [target('a', true), target('b'), target('c', true)];
    for (let i = 0; i < 9; i++) expect(next(targets, true)).toBe('b');
  });

  it('gets requests if every replica fails', () => {
    const { next } = connections();
    const targets = [target('a', true), target('b', true)];
    expect(new Set([next(targets), next(targets)])).toEqual(new Set(['a', 'b']));
  });

  it('is preferred to one that refuses connections', () => {
    const { next, refuse } = connections();
    refuse('a');
    for (let i = 0; i < 4; i++) expect(next([target('a'), target('b', true)])).toBe('b');
  });
});

it('a replica is counted for a minute, however many others have requests', () => {
  const { replicas } = connections();
  const ask = (jobId: string) => {
    const replica = replicas.acquire('run', [target(jobId)]);
    if (!replica) throw new Error('no replica');
    replicas.answered(replica, 200);
    replicas.release(replica);
  };
  ask('busy');
  for (let n = 0; n < 5000; n++) ask(`job-${n}`);
  const busy = replicas.countedOf('run').find(({ jobId }) => jobId === 'busy');
  expect(busy?.recent).toMatchObject({ requests: 1, errors: 0 });
});

describe('requests that belong together', () => {
  const { replicas } = connections();
  const of = (key: string, jobIds: readonly string[], tried: readonly string[] = []) => {
    const targets = jobIds.map((jobId) => target(jobId));
    const replica = replicas.acquire('run', targets, new Set(tried), key);
    if (replica) replicas.release(replica);
    return replica?.target.jobId ?? '';
  };
  const keys = [...Array(300).keys()].map(String);

  it('go to the same replica, all of which get a part', () => {
    const chosen = keys.map((key) => of(key, ['a', 'b', 'c']));
    expect(keys.map((key) => of(key, ['c', 'a', 'b']))).toEqual(chosen);
    for (const jobId of ['a', 'b', 'c']) {
      expect(chosen.filter((one) => one === jobId).length).toBeGreaterThan(60);
    }
  });

  it('stay there when another replica is added, removed or has refused', () => {
    for (const key of keys) {
      const before = of(key, ['a', 'b', 'c']);
      expect(['d', before]).toContain(of(key, ['a', 'b', 'c', 'd']));
      if (before !== 'c') expect(of(key, ['a', 'b'])).toBe(before);
      expect(of(key, ['a', 'b', 'c'], ['c'])).toBe(of(key, ['a', 'b']));
    }
  });
});

describe('a replica that refuses connections', () => {
  it('is avoided for a second, and twice as long after each further refusal, up to 30', () => {
    const { replicas, clock, refuse } = connections();
    for (const seconds of [1, 2, 4, 8, 16, 30, 30]) {
      refuse('a');
      clock.now += seconds * 1000 - 1;
      expect(replicas.isEjected(target('a'))).toBe(true);
      clock.now += 1;
      expect(replicas.isEjected(target('a'))).toBe(false);
    }
  });

  it('is avoided once for requests that are refused together', () => {
    const { replicas, clock, refuse } = connections();
    for (let i = 0; i < 20; i++) refuse('a');
    clock.now += 1000;
    expect(replicas.isEjected(target('a'))).toBe(false);
  });

  it('is used again at once after an answer, with the shortest time for the next refusal', () => {
    const { replicas, clock, refuse } = connections();
    refuse('a');
    clock.now += 1000;
    const replica = refuse('a');
    replicas.answered(replica, 200);
    expect(replicas.isEjected(target('a'))).toBe(false);
    refuse('a');
    clock.now += 1000;
    expect(replicas.isEjected(target('a'))).toBe(false);
  });

  it('gets requests if it is the only one that was not tried', () => {
    const { replicas, next, refuse } = connections();
    refuse('a');
    expect(next([target('a')])).toBe('a');
    const other = replicas.acquire('run', [target('a'), target('b')], new Set(['b']));
    expect(other?.target.jobId).toBe('a');
  });

  it('is avoided for a second only while its app starts', () => {
    const { replicas, clock } = connections();
    const young = target('a', false, START * 1000);
    for (let i = 0; i < 4; i++) {
      const replica = replicas.acquire('run', [young]);
      if (!replica) throw new Error('no replica');
      replicas.release(replica);
      replicas.refused(replica);
      clock.now += 1000;
      expect(replicas.isEjected(young)).toBe(false);
    }
  });
});

describe('among healthy replicas', () => {
  it('requests are taken in turn while none is pending', () => {
    const { next } = connections();
    const targets = ['a', 'b', 'c'].map((jobId) => target(jobId));
    const order = [1, 2, 3, 4, 5, 6].map(() => next(targets));
    expect(order).toEqual(['b', 'c', 'a', 'b', 'c', 'a']);
  });

  it('two get all requests, each the ones for which it has fewer pending', () => {
    const { next } = connections();
    const targets = [target('a'), target('b')];
    const counts = { a: 0, b: 0 };
    for (let i = 0; i < 10; i++) counts[next(targets, true) as 'a' | 'b'] += 1;
    expect(counts).toEqual({ a: 5, b: 5 });
  });

  it('the busiest of many is never chosen, whatever the random numbers', () => {
    const numbers = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
      minLength: 1,
    });
    fc.assert(
      fc.property(numbers, fc.integer({ min: 2, max: 9 }), (given, count) => {
        let i = 0;
        const { replicas, next } = connections(() => given[i++ % given.length] ?? 0);
        const targets = Array.from({ length: count }, (_, n) => target(`job-${n}`));
        for (let held = 0; held < 3; held++) replicas.acquire('run', [target('job-0')]);
        for (let asked = 0; asked < count; asked++) expect(next(targets)).not.toBe('job-0');
      }),
    );
  });
});

/** Sends requests one after another; `broken` answers them by 500, at once. Returns who got them. */
function serve(
  { replicas, clock }: ReturnType<typeof connections>,
  targets: ReturnType<typeof target>[],
  { count, broken }: { readonly count: number; readonly broken: string },
): Record<string, number> {
  const got: Record<string, number> = {};
  for (let n = 0; n < count; n++) {
    const replica = replicas.acquire('run', targets);
    if (!replica) throw new Error('no replica');
    const { jobId } = replica.target;
    got[jobId] = (got[jobId] ?? 0) + 1;
    clock.now += jobId === broken ? 0 : 10;
    replicas.answered(replica, jobId === broken ? 500 : 200);
    replicas.release(replica);
  }
  return got;
}

describe('a replica that answers everything with errors', () => {
  it('gets a few of the requests only, and fewer the longer it does', () => {
    const of = connections();
    const targets = ['a', 'b', 'c'].map((jobId) => target(jobId));
    const { a = 0, b = 0, c = 0 } = serve(of, targets, { count: 3000, broken: 'a' });
    expect(a).toBeLessThan(30);
    expect(Math.abs(b - c)).toBeLessThan(300);
    expect(of.replicas.isEjected(target('a'))).toBe(true);
  });

  it('attracts no requests by its speed while others are busy', () => {
    const { replicas, clock } = connections();
    const targets = [target('a'), target('b')];
    const got = { a: 0, b: 0 };
    const pending: NonNullable<ReturnType<typeof replicas.acquire>>[] = [];
    for (let n = 0; n < 100; n++) {
      clock.now += 1;
      const replica = replicas.acquire('run', targets);
      if (!replica) throw new Error('no replica');
      got[replica.target.jobId as 'a' | 'b'] += 1;
      if (replica.target.jobId === 'a') {
        replicas.answered(replica, 503);
        replicas.release(replica);
      } else pending.push(replica);
      if (pending.length < 10) continue;
      const oldest = pending.shift();
      if (oldest) replicas.answered(oldest, 200);
      if (oldest) replicas.release(oldest);
    }
    expect(got.a).toBeLessThan(15);
  });

  it('gets requests again after its time, and stays when it answers', () => {
    const of = connections();
    const targets = [target('a'), target('b')];
    serve(of, targets, { count: 100, broken: 'a' });
    expect(of.replicas.isEjected(target('a'))).toBe(true);
    of.clock.now += 300_000;
    const { a = 0, b = 0 } = serve(of, targets, { count: 100, broken: '' });
    expect(Math.abs(a - b)).toBeLessThan(30);
  });

  it('is used if it is the only one', () => {
    const of = connections();
    expect(serve(of, [target('a')], { count: 50, broken: 'a' })).toEqual({ a: 50 });
    expect(of.replicas.isEjected(target('a'))).toBe(false);
  });

  it('is named with the cause and the time when it is ejected', () => {
    const ejected: unknown[] = [];
    const open = () => Promise.reject(new Error('unused'));
    const replicas = new ReplicaConnections({
      ...{ open, timeoutMs: 1000, now: () => START, random: () => 0 },
      onEjected: (one) => ejected.push(one),
    });
    const of = { ...connections(), replicas };
    serve(of, [target('a'), target('b')], { count: 30, broken: 'a' });
    expect(ejected).toEqual([
      { runId: 'run', jobId: 'a', why: { cause: 'errors_in_row', errors: 5 }, ms: 5000 },
    ]);
  });
});

describe('a replica whose answers break off', () => {
  /** Requests to one of two replicas, whose answers begin well. */
  const breaking = () => {
    const { replicas } = connections();
    const targets = [target('a'), target('b')];
    const begun = () => {
      const replica = replicas.acquire('run', targets, new Set(['b']));
      if (!replica) throw new Error('no replica');
      replicas.answered(replica, 200);
      return replica;
    };
    const end = (replica: ReturnType<typeof begun>, isBroken: boolean) => {
      if (isBroken) replicas.broke(replica);
      replicas.release(replica);
    };
    return { begun, end, isEjected: () => replicas.isEjected(target('a')) };
  };

  it('is ejected after five of them in a row, one after another or at once', () => {
    const { begun, end, isEjected } = breaking();
    for (let n = 0; n < 4; n++) end(begun(), true);
    expect(isEjected()).toBe(false);
    end(begun(), true);
    expect(isEjected()).toBe(true);
    const other = breaking();
    for (const one of Array.from({ length: 5 }, other.begun)) other.end(one, true);
    expect(other.isEjected()).toBe(true);
  });

  it('is not ejected while it completes others in between', () => {
    const { begun, end, isEjected } = breaking();
    for (let n = 0; n < 12; n++) end(begun(), n % 4 === 3);
    expect(isEjected()).toBe(false);
  });

  it('counts each answer once', () => {
    const { begun, end, isEjected } = breaking();
    const one = begun();
    for (let n = 0; n < 9; n++) end(one, true);
    expect(isEjected()).toBe(false);
  });
});

it('a new replica gets its share of the requests, not all, while others send long streams', () => {
  const { replicas, clock } = connections();
  for (let n = 0; n < 20; n++) {
    const stream = replicas.acquire('run', [target('old')]);
    if (stream) replicas.answered(stream, 200);
  }
  clock.now += 60_000;
  const got: Record<string, number> = { old: 0, canary: 0 };
  for (let n = 0; n < 30; n++) {
    const replica = replicas.acquire('run', [target('old'), target('canary')]);
    if (!replica) throw new Error('no replica');
    const { jobId } = replica.target;
    got[jobId] = (got[jobId] ?? 0) + 1;
    replicas.answered(replica, 200);
    replicas.release(replica);
  }
  expect(got.old).toBeGreaterThanOrEqual(8);
  expect(got.canary).toBeGreaterThanOrEqual(got.old ?? 0);
});

describe('the figures of a run', () => {
  it('are those of its own replicas, until they are removed', () => {
    const { replicas } = connections();
    const busy = replicas.acquire('run', [target('a')]);
    replicas.acquire('run', [target('b')]);
    replicas.acquire('other', [target('c')]);
    const figures = (run: string) => ({
      jobs: replicas.countedOf(run).map(({ jobId }) => jobId),
      totals: Object.keys(replicas.totalsOf(run)),
      pending: replicas.pending(run),
      isHeld: replicas.holds(run),
    });
    const none = { jobs: [], totals: [], pending: 0, isHeld: false };
    expect(figures('run')).toEqual({ ...of('a', 'b'), pending: 2 });
    replicas.keepOnly('run', [target('b')]);
    expect(figures('run')).toEqual({ ...of('a', 'b'), pending: 2 });
    if (busy) replicas.release(busy);
    expect(figures('run')).toEqual({ ...of('b'), pending: 1 });
    expect(figures('other')).toEqual({ ...of('c'), pending: 1 });
    expect(figures('third')).toEqual(none);
    replicas.close();
    expect([figures('run'), figures('other')]).toEqual([none, none]);
  });

  const of = (...jobs: string[]) => ({ jobs, totals: jobs, isHeld: true });
});
