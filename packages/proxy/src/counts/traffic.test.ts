import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { CountedSecond } from '../values.ts';
import { Traffic } from './traffic.ts';

const SECOND = 1_000_000;

function counter() {
  let now = 100 * SECOND;
  const written: { counts: CountedSecond[]; woken: string[] }[] = [];
  const traffic = new Traffic({
    services: {
      addRequests: async (_owner, counts, extras) => {
        const woken = (extras?.signals ?? []).map(({ id }) => id);
        written.push({ counts: [...counts], woken });
      },
    },
    ...{ owner: 'me', everyMs: () => 1000 },
    now: () => now,
    log: pino({ level: 'silent' }),
  });
  return {
    traffic,
    written,
    later: (seconds: number) => {
      now += seconds * SECOND;
    },
  };
}

describe('requests', () => {
  it('are stored together, by run and second', async () => {
    const { traffic, written, later } = counter();
    traffic.count('a', false);
    traffic.count('a', false);
    traffic.count('b', false);
    later(1);
    traffic.count('a', false);
    await traffic.close();
    expect(written.flatMap(({ counts }) => counts)).toEqual([
      { runId: 'a', second: 100, requests: 2 },
      { runId: 'b', second: 100, requests: 1 },
      { runId: 'a', second: 101, requests: 1 },
    ]);
  });

  it('signal a run that was quiet, or that has no replica', async () => {
    const { traffic, written, later } = counter();
    const woken = async () => {
      await traffic.close();
      return written.splice(0).flatMap((one) => one.woken);
    };
    traffic.count('a', false);
    expect(await woken()).toEqual(['a']);
    later(29);
    traffic.count('a', false);
    expect(await woken()).toEqual([]);
    later(1);
    traffic.count('a', true);
    expect(await woken()).toEqual(['a']);
    later(30);
    traffic.count('a', false);
    expect(await woken()).toEqual(['a']);
  });
});
