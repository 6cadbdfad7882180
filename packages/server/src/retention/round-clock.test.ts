/** The clock is wrong, or the server was stopped, in the middle of a round. */
import { randomUUID } from 'node:crypto';
import { SECOND, type Timestamp } from '@dstack/core';
import { openMemoryStore, type Store } from '@dstack/store';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createCipher } from '../config/cipher.ts';
import { PAUSE, SHORT_PAUSE } from './pause.ts';
import { RetentionRounds } from './rounds.ts';
import type { RetentionStep } from './step.ts';

const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
const log = pino({ level: 'silent' });

let now: Timestamp;
let monotonic: number;
let store: Store;
let asked: Timestamp[];

beforeEach(async () => {
  now = 1_800_000_000 * SECOND;
  monotonic = 1000;
  asked = [];
  const options = { now: () => now, newId: randomUUID, logger: log, cipher: createCipher([]) };
  store = await openMemoryStore(options);
});
afterEach(() => store.close());

/** Deletes three times by age; `meanwhile` is called after each. */
function byAge(
  pauses: RetentionStep['pauses'],
  meanwhile: (times: number) => Promise<void> | void = () => {},
): RetentionStep {
  let times = 0;
  return {
    ...{ name: 'by age', pauses, most: 1 },
    async run(_limit, at) {
      asked.push(at);
      times += 1;
      await meanwhile(times);
      return times < 3 ? 1 : 0;
    },
  };
}

async function round(step: RetentionStep, shared = false): Promise<void> {
  const rounds = new RetentionRounds({
    ...{ store: { ...store, shared }, log, owner: 'one', events: 1, restFactor: 0 },
    ...{ steps: [step], now: () => now, monotonic: () => monotonic },
  });
  await rounds.clean();
  await rounds.close();
}

const pass = (us: number) => {
  now += us;
  monotonic += us / 1000;
};

it('a clock that is set a year ahead in the middle of a round deletes nothing more', async () => {
  for (const pauses of ['clock', 'upgrade'] as const) {
    asked = [];
    const start = now;
    await store.meta.set('retention', JSON.stringify({ at: now, deletesFrom: 0 }));
    const step = byAge(pauses, () => {
      now += YEAR;
    });
    await round(step);
    expect(asked).toEqual([start]);
    // And nothing when it is right again a minute later.
    now = start + 60 * SECOND;
    await round(byAge(pauses));
    expect(asked).toEqual([start]);
    now = start + PAUSE + 120 * SECOND;
    await store.meta.set('retention', JSON.stringify({ at: now, deletesFrom: 0 }));
  }
});

it('events and measurements wait too after a server was off, for an hour', async () => {
  await round(byAge('clock'));
  expect(asked).toHaveLength(3);
  pass(DAY);
  await round(byAge('clock'));
  expect(asked).toHaveLength(3);
  for (let passed = 0; passed <= SHORT_PAUSE; passed += 300 * SECOND) {
    pass(300 * SECOND);
    await round(byAge('never'));
  }
  asked = [];
  await round(byAge('clock'));
  expect(asked).toHaveLength(3);
});

it('a long round judges ages by the time that passes, not by its start', async () => {
  const start = now;
  await round(byAge('clock', () => pass(120 * SECOND)));
  expect(asked.map((at) => (at - start) / SECOND)).toEqual([0, 120, 240]);
});

it('a round that lasts for hours is no gap', async () => {
  await round(byAge('clock', () => pass(540 * SECOND)));
  pass(60 * SECOND);
  asked = [];
  await round(byAge('clock'));
  expect(asked).toHaveLength(3);
});

it('a server that was stopped until another one took the work over deletes nothing more', async () => {
  const taken = byAge('clock', async (times) => {
    if (times > 1) return;
    pass(20 * SECOND);
    await store.engine.release('retention', 'all', 'one');
    await store.engine.claim('retention', 'all', 'two', 9 * SECOND);
  });
  await round(taken, true);
  expect(asked).toHaveLength(1);
});

it('one server deletes, and another one comes back later', async () => {
  await store.engine.claim('retention', 'all', 'two', 9 * SECOND);
  await round(byAge('clock'), true);
  expect(asked).toEqual([]);
  await store.engine.release('retention', 'all', 'two');
  await round(byAge('clock'), true);
  expect(asked).toHaveLength(3);
});
