import { expect, it } from 'vitest';
import { recentPercentile, recentRequests, sumOfRecent } from './recent-requests.ts';
import { RequestStats } from './service-stats.ts';

const service = { runId: 'run', projectName: 'main', runName: 'web' };
const NOW = 1_000_000_000;

function counted(requests: readonly (readonly [number, number])[], at = NOW) {
  const stats = new RequestStats(() => at);
  for (const [status, ms] of requests) stats.add(service, status, ms);
  return stats.raw('run');
}

it('requests of several processes and servers have the percentiles of all of them', () => {
  const fast = Array.from({ length: 98 }, () => [200, 10] as const);
  const slow = [[503, 5000] as const, [500, 5000] as const];
  const one = recentRequests([counted(fast.slice(0, 40)), counted(fast.slice(40))], NOW);
  const other = recentRequests([counted(slow)], NOW);
  const all = sumOfRecent([one, other]);
  expect(all).toMatchObject({ requests: 100, errors: 2, seconds: 50 });
  expect(recentPercentile(all, 0.5)).toBeLessThan(13);
  expect(recentPercentile(all, 0.99)).toBeGreaterThanOrEqual(5000);
  // The mean of both percentiles would be another one.
  expect(recentPercentile(all, 0.5)).toBe(recentPercentile(one, 0.5));
});

it('requests of more than a minute ago do not count', () => {
  expect(recentRequests([counted([[200, 1]], NOW - 61_000)], NOW)).toMatchObject({
    ...{ requests: 0, errors: 0, buckets: [] },
  });
  expect(recentPercentile(recentRequests([], NOW), 0.5)).toBeNull();
});

it('errors are unknown, and not none, if a program of an earlier version has counted requests', () => {
  const { answered } = counted([[200, 1]]);
  const number = Math.floor(NOW / 10_000);
  const earlier = { answered, slices: [{ number, count: 1, buckets: [[3, 1] as const] }] };
  const all = recentRequests([counted([[500, 1]]), earlier], NOW);
  expect(all).toMatchObject({ requests: 2, errors: null });
  expect(sumOfRecent([all, recentRequests([counted([[500, 1]])], NOW)]).errors).toBeNull();
});

it('a service is counted from the beginning of its first request on', () => {
  const stats = new RequestStats(() => NOW);
  stats.begun(service);
  expect(stats.services).toEqual([service]);
  expect(stats.of('run')).toMatchObject({ rps: 0, p50: null, answered: {} });
});
