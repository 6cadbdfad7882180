import { describe, expect, it } from 'vitest';
import { NoAnswerError, NoCapacityError, QuotaError } from '../base/errors.ts';
import { MissingThingError } from '../base/rest-vm/refusals.ts';
import type { GcpOperation } from './compute.ts';
import { type Insertion, Insertions } from './insertions.ts';

const REGION = 'us-central1';
const ID = 'us-central1-a/dstack-1';
const OF: Insertion = {
  ...{ id: ID, name: 'dstack-1', zone: 'us-central1-a', region: 'us-central1' },
  instance: {} as Insertion['instance'],
};
const RUNNING: GcpOperation = { name: 'operation-1', status: 'RUNNING' };
const DONE: GcpOperation = { name: 'operation-1', status: 'DONE' };
const failedBy = (code: string, more: object = {}): GcpOperation => ({
  ...DONE,
  error: { errors: [{ code, message: 'words of Google', ...more }] },
});

/** `answers`: of the looks at the operation, of which the last one is repeated. */
function insertions(...answers: readonly (GcpOperation | Error)[]) {
  const clock = { now: 0 };
  const left = [...answers];
  const pace = {
    now: () => clock.now,
    delay: async (ms: number) => {
      clock.now += ms;
    },
  };
  const zoneOperation = async () => {
    const answer = left.length > 1 ? left.shift() : left[0];
    if (answer instanceof Error) throw answer;
    return answer ?? RUNNING;
  };
  return { clock, left, made: new Insertions({ compute: { zoneOperation }, pace }) };
}

describe('an insertion', () => {
  it('that fails within ten seconds is a refusal of its order, in the words of Google', async () => {
    const { made } = insertions(RUNNING, failedBy('ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS'));
    const refused = made.settle(RUNNING, OF);
    await expect(refused).rejects.toThrow(NoCapacityError);
    await expect(refused).rejects.toThrow('EXHAUSTED_WITH_DETAILS: words of Google');
    expect(await made.failed(REGION)).toEqual([]);
  });

  it('over a quota names it with its limit', async () => {
    const quotaInfo = { metricName: 'compute.googleapis.com/cpus', limit: 24 };
    const { made } = insertions(failedBy('QUOTA_EXCEEDED', { errorDetails: [{ quotaInfo }] }));
    const refused = made.settle(RUNNING, OF);
    await expect(refused).rejects.toThrow(QuotaError);
    await expect(refused).rejects.toThrow('(compute.googleapis.com/cpus, limit 24)');
  });

  it('that fails later is a machine that was sold out, for a quarter of an hour', async () => {
    const { made, left, clock } = insertions(RUNNING);
    await made.settle(RUNNING, OF);
    expect(clock.now).toBe(10_000);
    expect(await made.failed(REGION)).toEqual([]);
    left[0] = failedBy('ZONE_RESOURCE_POOL_EXHAUSTED');
    const text = expect.stringContaining('words of Google');
    const over = { id: ID, status: 'ZONE_RESOURCE_POOL_EXHAUSTED', isOver: true, problem: text };
    expect(await made.failed(REGION)).toMatchObject([over]);
    expect(await made.failed(REGION)).toMatchObject([over]);
    clock.now += 901_000;
    expect(await made.failed(REGION)).toEqual([]);
  });

  it('whose machine could not be made for another reason is a broken machine', async () => {
    const { made, left } = insertions(RUNNING);
    await made.settle(RUNNING, OF);
    left[0] = failedBy('RESOURCE_NOT_FOUND');
    expect(await made.failed(REGION)).toMatchObject([{ status: 'FAILED', tags: {} }]);
  });

  it('stands although Google does not answer questions about it, or has forgotten it', async () => {
    const silent = insertions(new NoAnswerError('no answer'));
    await silent.made.settle(RUNNING, OF);
    expect(await silent.made.failed(REGION)).toEqual([]);
    const forgotten = insertions(new MissingThingError('no such operation'));
    await forgotten.made.settle(RUNNING, OF);
    expect(await forgotten.made.failed(REGION)).toEqual([]);
  });

  it('is asked about by the lists of its region only', async () => {
    const { made, left } = insertions(RUNNING);
    await made.settle(RUNNING, OF);
    left[0] = failedBy('ZONE_RESOURCE_POOL_EXHAUSTED');
    expect(await made.failed('europe-west4')).toEqual([]);
    left[0] = RUNNING;
    expect(await made.failed(REGION)).toEqual([]);
    left[0] = failedBy('ZONE_RESOURCE_POOL_EXHAUSTED');
    expect(await made.failed(REGION)).toHaveLength(1);
    expect(await made.failed('europe-west4')).toEqual([]);
  });

  it('that is done at once is asked about no more', async () => {
    const { made, clock } = insertions(new Error('asked'));
    await made.settle(DONE, OF);
    expect(await made.failed(REGION)).toEqual([]);
    expect(clock.now).toBe(0);
  });
});
