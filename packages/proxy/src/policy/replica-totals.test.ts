import { expect, it } from 'vitest';
import {
  MOST_REPLICAS,
  ReplicaCounter,
  type ReplicaTotals,
  sumOfTotals,
} from './replica-totals.ts';

/** `null`: no answer. */
function counted(...statuses: (number | null)[]): ReplicaTotals {
  const counter = new ReplicaCounter();
  for (const status of statuses) {
    if (status === null) counter.failure();
    else counter.answer(status, 20);
  }
  return counter.totals;
}

it('answers of a replica are counted by status, with the times until they began', () => {
  const { answered, latencies } = counted(200, 204, 503, null);
  expect(answered).toEqual({ '2xx': 2, '5xx': 1, failed: 1 });
  expect(latencies.counts.reduce((a, b) => a + b)).toBe(3);
  expect(latencies.seconds).toBeCloseTo(0.06);
});

it('the totals of two processes are added up by replica', () => {
  const sum = sumOfTotals({ a: counted(200), b: counted(500) }, { a: counted(200, null) });
  expect(sum.a?.answered).toEqual({ '2xx': 2, failed: 1 });
  expect(sum.b?.answered).toEqual({ '5xx': 1 });
});

it('a bounded number of replicas is counted, the latest ones', () => {
  let all = {};
  for (let n = 0; n < 3 * MOST_REPLICAS; n++)
    all = sumOfTotals(all, { [`job-${n}`]: counted(200) });
  expect(Object.keys(all)).toHaveLength(MOST_REPLICAS);
  expect(all).toHaveProperty(`job-${3 * MOST_REPLICAS - 1}`);
});

it('a replica that goes on is counted, however many others have come and left', () => {
  let all = {};
  for (let n = 0; n < 2 * MOST_REPLICAS; n++)
    all = sumOfTotals(all, { old: counted(200), [`job-${n}`]: counted(200) });
  expect(all).toHaveProperty('old.answered', { '2xx': 2 * MOST_REPLICAS });
});
