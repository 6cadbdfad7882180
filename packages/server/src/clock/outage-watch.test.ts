import { SECOND, type Unobserved } from '@dstack/core';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ClockWatch } from './clock-watch.ts';
import { OutageWatch, type ServedTime } from './outage-watch.ts';
import { ServerClock } from './server-clock.ts';

const log = pino({ level: 'silent' });
const HOUR_MS = 3_600_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** One database with the servers that work on it, of which each has the time of the test. */
function database(isShared: boolean, isNew = false) {
  let served: ServedTime | null = null;
  let isDown = false;
  let servers = 0;
  const answer = <T>(value: T): T => {
    if (isDown) throw new Error('connection refused');
    return value;
  };
  return {
    record(to: ServedTime) {
      served = to;
    },
    setDown(to: boolean) {
      isDown = to;
    },
    async server(isShort = false) {
      const started = performance.now();
      const monotonic = () => performance.now() - started;
      const clock = new ServerClock({ wall: () => Date.now(), monotonic });
      const time = isShared ? async () => answer(Date.now() * 1000) : null;
      let isShortNow = isShort;
      servers += 1;
      const watch = new ClockWatch({ clock, monotonic, database: time, log });
      const outages = new OutageWatch({
        ...{ clock, isShared, log },
        ...{ owner: `server-${servers}`, isShort: () => isShortNow },
        isNew: async () => isNew,
        load: async () => answer(served),
        save: async (to) => {
          served = answer(to);
        },
      });
      await watch.start();
      await outages.start();
      onTestFinished(() => watch.close());
      /** Nothing can record its end. */
      const kill = async () => {
        watch.close();
        isDown = true;
        await outages.close();
        isDown = false;
      };
      const setShort = (to: boolean) => {
        isShortNow = to;
      };
      return { clock, kill, setShort, end: () => outages.close() };
    },
  };
}

const now = () => Date.now() * 1000;
const jumpedAt = ({ clock }: { clock: ServerClock }) => clock.unobserved.at(-1)?.until ?? null;

describe.each([true, false])('a database (shared: %s)', (isShared) => {
  it('without a server for hours lets the next one wait for answers from its start on', async () => {
    const db = database(isShared);
    const one = await db.server();
    await pass(HOUR_MS);
    await one.kill();
    await pass(3 * HOUR_MS);
    const two = await db.server();
    expect(jumpedAt(two)).toBe(now());
    await pass(HOUR_MS);
    expect(jumpedAt(two)).toBe(now() - 3600 * SECOND);
  });

  it('remembers each time without a server over all restarts', async () => {
    const db = database(isShared);
    const times: Unobserved[] = [];
    let last = await db.server();
    for (let n = 0; n < 20; n++) {
      await pass(2 * 60_000);
      await last.kill();
      const from = now();
      await pass(3 * 60_000);
      last = await db.server();
      times.push({ from, until: now() });
    }
    const known = last.clock.unobserved.slice(1);
    expect(known).toHaveLength(times.length);
    for (const [index, { from, until }] of times.entries()) {
      expect(known[index]?.until).toBe(until);
      // Since the last record before the kill.
      expect(from - (known[index]?.from ?? 0)).toBeLessThanOrEqual(60 * SECOND);
    }
  });

  it('whose server could open no connection for long, and was then restarted, has had none meanwhile', async () => {
    const db = database(isShared);
    const one = await db.server();
    await pass(HOUR_MS);
    const from = now();
    one.setShort(true);
    await pass(HOUR_MS);
    await one.end();
    const two = await db.server();
    const [last] = two.clock.unobserved.slice(-1);
    expect(last?.until).toBe(now());
    expect(from - (last?.from ?? 0)).toBeLessThanOrEqual(60 * SECOND);
  });

  it('whose server could open no connection for long remembers that once it can', async () => {
    const db = database(isShared);
    const one = await db.server();
    await pass(HOUR_MS);
    const from = now();
    one.setShort(true);
    await pass(HOUR_MS);
    one.setShort(false);
    await pass(60_000);
    const [last] = one.clock.unobserved.slice(-1);
    expect((last?.until ?? 0) - from).toBeGreaterThanOrEqual(3600 * SECOND);
    expect(from - (last?.from ?? 0)).toBeLessThanOrEqual(60 * SECOND);
  });

  it('without a server for hours lets one that begins without open files wait all the same', async () => {
    const db = database(isShared);
    const one = await db.server();
    await pass(HOUR_MS);
    await one.end();
    const from = now();
    await pass(HOUR_MS);
    const two = await db.server(true);
    const [last] = two.clock.unobserved.slice(-1);
    expect(last?.until).toBe(now());
    expect(from - (last?.from ?? 0)).toBeLessThanOrEqual(60 * SECOND);
    await pass(HOUR_MS);
    expect(two.clock.unobserved.at(-1)).toEqual(last);
  });

  it('whose server is restarted at once, again and again, lets deadlines come', async () => {
    const db = database(isShared);
    await (await db.server()).end();
    const first = now();
    for (let n = 0; n < 100; n++) {
      await pass(5000);
      const server = await db.server();
      expect(jumpedAt(server)).toBe(first);
      await pass(20_000);
      await server.end();
    }
  });
});

it('the first server of a database has missed nothing', async () => {
  const db = database(false, true);
  const one = await db.server();
  expect(jumpedAt(one)).toBeNull();
  await pass(10 * 60_000);
  await one.end();
  await pass(5000);
  expect(jumpedAt(await db.server())).toBeNull();
});

it('a server that ended in order half a minute ago was away for half a minute', async () => {
  const db = database(false);
  await (await db.server()).end();
  await pass(30_000);
  expect(jumpedAt(await db.server())).toBe(now());
});

it('the record of an older version gives the end of the last outage, before which nothing counts', async () => {
  const db = database(false);
  const since = now() - 600 * SECOND;
  db.record({ at: now() - SECOND, since, ended: true });
  expect((await db.server()).clock.unobserved).toEqual([{ from: 0, until: since }]);
});

it('a record that lies ahead was made by a wrong clock', async () => {
  const db = database(false);
  await (await db.server()).end();
  vi.setSystemTime(Date.now() - 5 * HOUR_MS);
  expect(jumpedAt(await db.server())).toBe(now());
});

describe('servers that share a database', () => {
  it('restart one by one without an outage', async () => {
    const db = database(true);
    const one = await db.server();
    const began = now();
    await pass(10 * 60_000);
    const two = await db.server();
    await one.kill();
    await pass(10 * 60_000);
    expect(jumpedAt(two)).toBe(began);
    expect(jumpedAt(await db.server())).toBe(began);
  });

  it('start after an outage one by one, and regard it all', async () => {
    const db = database(true);
    await (await db.server()).kill();
    await pass(5 * HOUR_MS);
    await db.server();
    const back = now();
    await pass(30_000);
    expect(jumpedAt(await db.server())).toBe(back);
  });

  it('observe nothing while the database does not answer, and decide anew once it does', async () => {
    const db = database(true);
    const { clock } = await db.server();
    await pass(10 * 60_000);
    let jumps = 0;
    clock.onJump(() => jumps++);
    db.setDown(true);
    await pass(2 * HOUR_MS);
    // Whatever decides first once it answers again does not look back.
    expect(now() - (jumpedAt({ clock }) ?? 0)).toBeLessThan(4 * SECOND);
    expect(jumps).toBe(0);
    db.setDown(false);
    await pass(3000);
    expect(jumps).toBeGreaterThan(0);
    const back = jumpedAt({ clock });
    await pass(10 * 60_000);
    expect((jumpedAt({ clock }) ?? 0) - (back ?? 0)).toBeLessThan(61 * SECOND);
  });
});

it('a server that can open no connection learns until when another one works', async () => {
  const db = database(true);
  const [one, two] = [await db.server(), await db.server()];
  one.setShort(true);
  await pass(HOUR_MS);
  const lag = () => now() - one.clock.servedElsewhere;
  expect(lag()).toBeLessThanOrEqual(120 * SECOND);
  await two.kill();
  await pass(HOUR_MS);
  expect(lag()).toBeGreaterThanOrEqual(3600 * SECOND);
});

it('a single server finds no other one that works', async () => {
  const db = database(false);
  const one = await db.server();
  await pass(HOUR_MS);
  expect(one.clock.servedElsewhere).toBe(0);
});
