import { type Change, directiveOf, type JobRecord, type RunRecord } from '@dstack/core';
import { jobRecord, runRecord } from '@dstack/core/testing';
import type { Store } from '@dstack/store';
import { expect, test } from 'vitest';
import { ArrayWatch } from './array-watch.ts';
import { RunWatch } from './run-watch.ts';
import { Watch } from './watch.ts';

const HOLD = { by: 'ann', since: 2 };

/** An array with one member, which waits with one job. */
class Story {
  readonly #runs = new RunWatch();
  readonly #jobs = new Watch((breach) => {
    throw breach;
  }, true);
  readonly #watch = new ArrayWatch(this.#runs, this.#jobs);
  readonly #array = withArray(runRecord({ id: 'array', name: 'sweep', nextPassAt: null }));
  readonly #member = {
    ...runRecord({ id: 'member', name: 'sweep-0', status: 'pending', nextPassAt: null }),
    ...{ arrayId: 'array', arrayIndex: 0 },
  };

  constructor() {
    const limits = { total: 1, maxParallel: 1, maxFailures: 0 };
    const array = { ...limits, directive: directiveOf(this.#array) };
    this.#runs.submitted({ run: this.#array, jobs: [], array });
    this.#apply({ type: 'run.insert', run: this.#member });
    this.#apply({ type: 'job.insert', job: jobRecord({ id: 'job', runId: 'member' }) });
  }

  member(set: Partial<RunRecord>): this {
    return this.#apply({ type: 'run.update', id: 'member', version: 0, set });
  }

  job(set: Partial<JobRecord>): this {
    return this.#apply({ type: 'job.update', id: 'job', version: 0, set });
  }

  requests(id: string, set: Partial<RunRecord>): this {
    const change = { type: 'run.update', id, version: 0, set } as const;
    this.#watch.requested([change]);
    return this.#apply(change);
  }

  check(): Promise<void> {
    const runs = { arrayOf: async () => null };
    return this.#watch.check({ runs } as unknown as Store);
  }

  #apply(change: Change): this {
    this.#runs.applied([change]);
    this.#jobs.applied([change]);
    this.#watch.applied([change]);
    return this;
  }
}

function withArray(run: RunRecord): RunRecord {
  const array = { count: 1, max_parallel: 1, max_failures: 0 };
  const configuration = { type: 'task', commands: ['x'], env: {}, array };
  const spec = { ...run.spec, configuration } as unknown as RunRecord['spec'];
  return { ...run, spec, status: 'submitted' };
}

const FORGOTTEN = 'invariant 22: sweep-0 is pending, and its array is held';

test('a member that waits without a hold although its array is held is a breach', async () => {
  await expect(new Story().requests('array', { hold: HOLD }).check()).rejects.toThrow(FORGOTTEN);
});

test('a member that a user has released alone may wait, until the array is held again', async () => {
  const story = new Story().requests('array', { hold: HOLD }).member({ hold: HOLD });
  story.requests('member', { hold: null });
  await story.check();
  story.requests('array', { hold: null }).requests('array', { hold: HOLD });
  await expect(story.check()).rejects.toThrow(FORGOTTEN);
});

test('a hold comes too late for a member whose machine is ordered, also if none can be had', async () => {
  const story = new Story().job({ instanceId: 'machine' }).requests('array', { hold: HOLD });
  await story.check();
  await story.job({ instanceId: null, status: 'failed' }).check();
  story.requests('array', { hold: null }).requests('array', { hold: HOLD });
  await expect(story.check()).rejects.toThrow(FORGOTTEN);
});

test('a hold comes too late for a member that gets its place before it obeys', async () => {
  const story = new Story().requests('array', { hold: HOLD }).job({ instanceId: 'machine' });
  await story.check();
  await story.job({ instanceId: null, status: 'failed' }).check();
});

test('a member that has run goes on when it waits again, unless the array was held since', async () => {
  const story = new Story().job({ instanceId: 'machine' }).member({ status: 'running' });
  story.requests('array', { hold: HOLD });
  story.job({ instanceId: null, status: 'failed' }).member({ status: 'pending' });
  await story.check();
  story.requests('array', { hold: null }).requests('array', { hold: HOLD });
  await expect(story.check()).rejects.toThrow(FORGOTTEN);
});
