import type { HostCheck } from '@dstack/contract/agent';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createEventLogger } from '../log.ts';
import { type Check, type CheckFinding, HEALTHY } from './check.ts';
import { HealthWatch } from './health-watch.ts';

const PERIOD = 60_000;
const LOST: CheckFinding = { status: 'failure', message: 'GPU 0 is lost' };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function watch(checks: readonly Check[]) {
  const reports: (readonly HostCheck[])[] = [];
  const watched = new HealthWatch({
    checks,
    report: (results) => reports.push(results),
    repeatMs: 10 * PERIOD,
    deadlineMs: 5000,
    now: () => Date.now(),
    log: createEventLogger(() => {}),
  });
  return { watched, reports };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const check = (name: string, run: Check['run']): Check => ({ name, periodMs: PERIOD, run });

describe('the watch over a host', () => {
  it('reports once all checks have run, and then what changes', async () => {
    const slow = Promise.withResolvers<CheckFinding | null>();
    let gpu: CheckFinding = HEALTHY;
    const { watched, reports } = watch([
      check('gpu', async () => gpu),
      check('disk', () => slow.promise),
      check('dcgm', async () => null),
    ]);
    await pass(0);
    expect([watched.results, reports]).toEqual([null, []]);
    slow.resolve(HEALTHY);
    await pass(0);
    const good = [
      { name: 'gpu', ...HEALTHY },
      { name: 'disk', ...HEALTHY },
    ];
    expect(reports).toEqual([good]);
    await pass(2 * PERIOD);
    expect(reports).toHaveLength(1);
    gpu = LOST;
    await pass(PERIOD);
    expect(reports.slice(1)).toEqual([[{ name: 'gpu', ...LOST }, good[1]]]);
    expect(watched.results).toEqual(reports[1]);
    watched.close();
  });

  it('repeats unchanged results from time to time, and stops when it is closed', async () => {
    const { watched, reports } = watch([check('disk', async () => HEALTHY)]);
    await pass(10 * PERIOD);
    expect(reports).toHaveLength(2);
    watched.close();
    await pass(100 * PERIOD);
    expect(reports).toHaveLength(2);
  });

  it('runs one check at a time', async () => {
    let running = 0;
    let most = 0;
    const slow = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      running -= 1;
      return HEALTHY;
    };
    const { watched } = watch(['a', 'b', 'c'].map((name) => check(name, slow)));
    await pass(100 * PERIOD);
    expect(most).toBe(1);
    watched.close();
  });

  it('continues without a check that does not end, and does not start it again', async () => {
    let begun = 0;
    const hang = (): Promise<never> => {
      begun += 1;
      return new Promise(() => {});
    };
    const { watched, reports } = watch([check('gpu', hang), check('disk', async () => HEALTHY)]);
    await pass(5000);
    expect(reports).toEqual([
      [
        {
          name: 'gpu',
          status: 'warning',
          message: 'the check could not be carried out: it does not end',
        },
        { name: 'disk', ...HEALTHY },
      ],
    ]);
    await pass(10 * PERIOD);
    expect(begun).toBe(1);
    expect(watched.results?.[0]?.status).toBe('failure');
    watched.close();
  });

  it('counts a check that throws as one that could not be carried out', async () => {
    const { watched } = watch([
      check('gpu', async () => {
        throw new Error('nvidia-smi was not found');
      }),
    ]);
    await pass(0);
    expect(watched.results?.[0]?.message).toBe(
      'the check could not be carried out: nvidia-smi was not found',
    );
    watched.close();
  });

  it('checks at once when that is requested', async () => {
    let found: CheckFinding = HEALTHY;
    let takes = 3000;
    const { watched, reports } = watch([
      check('gpu', async () => {
        await new Promise((resolve) => setTimeout(resolve, takes));
        return found;
      }),
    ]);
    await pass(3000);
    found = LOST;
    takes = 1;
    await pass(2 * PERIOD);
    expect(reports).toHaveLength(1);
    watched.hurry();
    await pass(1);
    expect(reports).toHaveLength(2);
    watched.close();
  });
});
