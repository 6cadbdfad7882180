import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  durationBucket,
  histogramLines,
  LATENCY_BOUNDS,
  type LatencyTotals,
  NO_LATENCIES,
  sumOfLatencies,
} from './latency-totals.ts';

const durations = fc.array(fc.double({ min: 0, max: 10_000, noNaN: true }), { maxLength: 50 });

function totalsOf(seconds: readonly number[]): LatencyTotals {
  const counts = [...NO_LATENCIES.counts];
  for (const one of seconds) counts[durationBucket(one)] = (counts[durationBucket(one)] ?? 0) + 1;
  return { seconds: seconds.reduce((sum, one) => sum + one, 0), counts };
}

it('a histogram has for each bound the number of durations within it', () => {
  fc.assert(
    fc.property(durations, (given) => {
      const lines = histogramLines('x', { run: 'a"b' }, totalsOf(given));
      for (const bound of LATENCY_BOUNDS) {
        const within = given.filter((seconds) => seconds <= bound).length;
        expect(lines).toContain(`x_bucket{run="a\\"b",le="${bound}"} ${within}`);
      }
      expect(lines).toContain(`x_bucket{run="a\\"b",le="+Inf"} ${given.length}`);
      expect(lines.at(-1)).toBe(`x_count{run="a\\"b"} ${given.length}`);
    }),
  );
});

it('the durations of two processes together are those of one that had all requests', () => {
  fc.assert(
    fc.property(durations, durations, (some, others) => {
      const { counts, seconds } = sumOfLatencies(totalsOf(some), totalsOf(others));
      const expected = totalsOf([...some, ...others]);
      expect(counts).toEqual(expected.counts);
      expect(seconds).toBeCloseTo(expected.seconds, 3);
    }),
  );
});
