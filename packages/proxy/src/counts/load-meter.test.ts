import { latencyBucket } from '@dstack/contract/load';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { MeasuredSlot } from '../values.ts';
import { LoadMeter } from './load-meter.ts';

const SECOND = 1_000_000;

function meter() {
  let now = 100 * SECOND;
  const written: MeasuredSlot[] = [];
  const load = new LoadMeter({
    services: {
      setLoad: async (_owner, slots) => {
        written.push(...slots);
      },
    },
    owner: 'me',
    now: () => now,
    log: pino({ level: 'silent' }),
  });
  const later = (seconds: number) => {
    now += seconds * SECOND;
  };
  return { load, later, written };
}

describe('the load of a service', () => {
  it('is the time of its requests in flight, in the slots in which it was spent', async () => {
    const { load, later, written } = meter();
    const first = load.begin('run', true);
    later(2);
    const second = load.begin('run', true);
    later(4);
    first();
    later(1);
    second();
    await load.close();
    expect(written).toEqual([
      { runId: 'run', slot: 20, busyMs: 2000 + 2 * 3000, latencies: {} },
      {
        ...{ runId: 'run', slot: 21, busyMs: 2 * 1000 + 1000 },
        latencies: { [latencyBucket(6000)]: 1, [latencyBucket(5000)]: 1 },
      },
    ]);
  });

  it('has no latency of a connection that is none, and counts while it lasts', async () => {
    const { load, later, written } = meter();
    const end = load.begin('socket', false);
    later(5);
    await load.close();
    expect(written).toContainEqual({ runId: 'socket', slot: 20, busyMs: 5000, latencies: {} });
    later(3);
    end();
    written.length = 0;
    await load.close();
    expect(written).toEqual([{ runId: 'socket', slot: 21, busyMs: 3000, latencies: {} }]);
    written.length = 0;
    later(5);
    await load.close();
    await load.close();
    expect(written.filter(({ slot }) => slot > 21)).toEqual([]);
  });
});
