import { describe, expect, it } from 'vitest';
import { RequestStats } from './service-stats.ts';

const service = (runId: string) => ({ runId, projectName: 'main', runName: runId });

function stats() {
  const clock = { now: 1_000_000_000 };
  return { clock, subject: new RequestStats(() => clock.now) };
}

describe('the requests of a service', () => {
  it('have a rate and percentiles within a quarter of the measured times', () => {
    const { clock, subject } = stats();
    for (let i = 1; i <= 1000; i++) {
      subject.add(service('run'), i % 100 === 0 ? 503 : 200, i);
      clock.now += 50;
    }
    const { rps, p50, p95, p99, answered } = subject.of('run');
    expect(rps).toBeCloseTo(20, 0);
    for (const [value, expected] of [
      [p50, 500],
      [p95, 950],
      [p99, 990],
    ]) {
      expect(value).toBeGreaterThanOrEqual(expected ?? 0);
      expect(value).toBeLessThanOrEqual((expected ?? 0) * 1.25);
    }
    expect(answered).toEqual({ '2xx': 990, '5xx': 10 });
  });

  it('count for a minute, and in total for as long as the server runs', () => {
    const { clock, subject } = stats();
    subject.add(service('run'), 200, 0);
    clock.now += 61_000;
    expect(subject.of('run')).toMatchObject({
      ...{ rps: 0, p50: null, p95: null, p99: null, answered: { '2xx': 1 } },
    });
    expect(subject.of('run').latencies?.counts[0]).toBe(1);
    expect(subject.of('other').latencies).toBeNull();
    expect(subject.of('other').rps).toBe(0);
  });

  it('may take any time', () => {
    const { subject } = stats();
    for (const ms of [0, 0.1, 1e9]) subject.add(service('run'), 200, ms);
    expect(subject.of('run').p99).toBeGreaterThan(3_600_000);
  });

  it('are remembered for a bounded number of services', () => {
    const { subject } = stats();
    for (let n = 0; n < 5100; n++) subject.add(service(`run-${n}`), 200, 1);
    expect([subject.of('run-0').rps, subject.of('run-5099').rps > 0]).toEqual([0, true]);
  });
});
