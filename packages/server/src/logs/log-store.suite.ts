import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PollQuery } from './log-page.ts';
import type { LogNews, LogStore, LogStreamRef, QuotaBreach } from './log-store.ts';

export interface StoreUnderTest {
  readonly store: LogStore;
  /** Abandons the store without closing it, like a crash, and opens the same data again. */
  crash(): Promise<LogStore>;
  remove(): Promise<void>;
}

export interface SuiteOptions {
  readonly now: () => number;
  readonly quotaPerHour: number;
  readonly onQuota: (ref: LogStreamRef, breach: QuotaBreach) => void;
}

const REF: LogStreamRef = {
  project: 'main',
  run: 'train',
  jobId: '7971ea15-4056-4bef-8833-c93e0e7d5128',
};
const ALL: PollQuery = {
  startTime: null,
  endTime: null,
  descending: false,
  nextToken: null,
  limit: 1000,
};
const T0 = 1_700_000_000_000_000;

/** The behaviour that every log store must have, whatever its medium. */
export function describeLogStore(
  name: string,
  open: (options: SuiteOptions) => Promise<StoreUnderTest>,
): void {
  describe(name, () => {
    let under: StoreUnderTest;
    let store: LogStore;
    let now = T0;
    let breaches: QuotaBreach[] = [];

    beforeEach(async () => {
      now = T0;
      breaches = [];
      under = await open({
        now: () => now,
        quotaPerHour: 1000,
        onQuota: (_, breach) => breaches.push(breach),
      });
      store = under.store;
    });
    afterEach(async () => {
      await store.close();
      await under.remove();
    });

    async function put(text: string, time = now): Promise<void> {
      await store.append(REF, await store.length(REF), time, Buffer.from(text));
    }

    async function raw(from = 0): Promise<string> {
      const parts: Buffer[] = [];
      for (let at = from; ; ) {
        const piece = await store.readRaw(REF, at, 7);
        if (!piece) return Buffer.concat(parts).toString();
        parts.push(Buffer.from(piece.bytes));
        at = piece.offset + piece.bytes.length;
      }
    }

    async function texts(query: Partial<PollQuery> = {}): Promise<string[]> {
      const page = await store.poll(REF, { ...ALL, ...query });
      return page.events.map((event) => event.text);
    }

    it('has nothing of a stream that does not exist', async () => {
      expect(await store.status(REF)).toEqual({ length: 0, ended: false });
      expect(await store.readRaw(REF, 0, 10)).toBeNull();
      expect(await texts()).toEqual([]);
    });

    it('drops bytes that are already stored', async () => {
      await store.append(REF, 0, T0, Buffer.from('hello '));
      const again = await store.append(REF, 3, T0, Buffer.from('lo world\n'));
      expect(again).toEqual({ length: 12, gapFrom: null });
      const old = await store.append(REF, 0, T0, Buffer.from('hello'));
      expect(old).toEqual({ length: 12, gapFrom: null });
      expect(await raw()).toBe('hello world\n');
    });

    it('stores nothing after a gap, and returns where to send again from', async () => {
      await put('abc');
      const result = await store.append(REF, 5, T0, Buffer.from('x'));
      expect(result).toEqual({ length: 3, gapFrom: 3 });
      expect(await raw()).toBe('abc');
    });

    it('continues after lost output with a marker', async () => {
      await put('abc');
      await store.skip(REF, 50, T0 + 1);
      await put('d\n', T0 + 2);
      expect(await store.readRaw(REF, 3, 10)).toMatchObject({ offset: 50 });
      expect(await raw()).toBe('abcd\n');
      expect(await texts()).toEqual(['abc', '\n[47 bytes of output are lost here]\n', 'd\n']);
      await store.sync([REF]);
      store = await under.crash();
      expect(await store.length(REF)).toBe(52);
      expect(await texts()).toEqual(['abc', '\n[47 bytes of output are lost here]\n', 'd\n']);
    });

    it('has the times of output, stored or still in memory, with lost bytes between', async () => {
      await put('one\n', T0);
      await put('two\n', T0 + 400);
      await put('three\n', T0 + 2000);
      await store.sync([REF]);
      await store.skip(REF, 20, T0 + 2500);
      await put('four\n', T0 + 3000);
      await store.sync([REF]);
      await put('five\n', T0 + 5000);
      const first = Math.floor(T0 / 1000);
      const all = [
        { end: 8, time: first },
        { end: 14, time: first + 2 },
        { end: 25, time: first + 3 },
        { end: 30, time: first + 5 },
      ];
      expect(await store.readTimes(REF, 0, 100)).toEqual(all);
      expect(await store.readTimes(REF, 9, 22)).toEqual([all[1], { end: 22, time: first + 3 }]);
      expect(await store.readTimes(REF, 25, 30)).toEqual([all[3]]);
      expect(await store.readTimes(REF, 30, 40)).toEqual([]);
      await store.sync([REF]);
      store = await under.crash();
      expect(await store.readTimes(REF, 0, 100)).toEqual(all);
    });

    it('keeps synced output when the process dies', async () => {
      await put('one\ntw');
      expect(await store.sync([REF])).toEqual({ [REF.jobId]: 6 });
      await put('o\nthree\n');
      store = await under.crash();
      const length = await store.length(REF);
      expect(length).toBeGreaterThanOrEqual(6);
      await store.append(REF, 6, T0, Buffer.from('o\nthree\n'));
      expect(await raw()).toBe('one\ntwo\nthree\n');
      expect(await texts()).toEqual(['one\n', 'two\n', 'three\n']);
    });

    it('notifies followers of each piece, then of the end', async () => {
      const news: LogNews[] = [];
      const stop = store.follow(REF, (item) => news.push(item));
      await put('a');
      await put('bc');
      await store.end(REF);
      stop();
      await put('d');
      expect(news.map((item) => [item.type, item.length])).toEqual([
        ['piece', 1],
        ['piece', 3],
        ['ended', 3],
      ]);
      const pieces = news.flatMap((item) => (item.type === 'piece' ? [item.piece] : []));
      expect(pieces.map((piece) => [piece.offset, Buffer.from(piece.bytes).toString()])).toEqual([
        [0, 'a'],
        [1, 'bc'],
      ]);
    });

    it('stores that a stream has ended, with output or without', async () => {
      await store.end(REF);
      expect(await store.status(REF)).toEqual({ length: 0, ended: true });
      await put('late ');
      expect(await store.status(REF)).toEqual({ length: 5, ended: false });
      await store.end(REF);
      expect(await texts()).toEqual(['late ']);
      store = await under.crash();
      expect(await store.status(REF)).toEqual({ length: 5, ended: true });
      expect(await texts()).toEqual(['late ']);
    });

    it('shows an unfinished line to a reader who comes after half a second', async () => {
      await put('login: ', T0);
      expect(await texts()).toEqual([]);
      now += 500_000;
      expect(await texts()).toEqual(['login: ']);
      await put('root\n', T0 + 900_000);
      expect(await texts()).toEqual(['login: ', 'root\n']);
    });

    it('pages through every event once, in both directions', async () => {
      const lines = Array.from({ length: 2500 }, (_, i) => `${i}\n`);
      for (let i = 0; i < 2500; i += 100) await put(lines.slice(i, i + 100).join(''), T0 + i);
      for (const descending of [false, true]) {
        const seen: string[] = [];
        const pages: number[] = [];
        let nextToken: string | null = null;
        do {
          const page = await store.poll(REF, { ...ALL, descending, nextToken });
          seen.push(...page.events.map((event) => event.text));
          pages.push(page.events.length);
          nextToken = page.nextToken;
        } while (nextToken !== null);
        expect(pages).toEqual([1000, 1000, 500]);
        expect(descending ? seen.reverse() : seen).toEqual(lines);
      }
    });

    it('uses a number of events as the token', async () => {
      await put('a\nb\nc\n');
      expect((await store.poll(REF, { ...ALL, limit: 2 })).nextToken).toBe('2');
      expect(await texts({ nextToken: '2' })).toEqual(['c\n']);
      expect(await texts({ nextToken: '99' })).toEqual([]);
      const bad = store.poll(REF, { ...ALL, nextToken: 'zzz' });
      await expect(bad).rejects.toMatchObject({
        code: 'bad_token',
        message: 'Invalid next_token: zzz. Must be a non-negative integer.',
      });
    });

    it('takes the start time as exclusive, the end time as inclusive only when descending', async () => {
      await put('a\n', T0);
      await put('b\n', T0 + 10);
      await put('c\n', T0 + 20);
      const times = { startTime: T0, endTime: T0 + 20 };
      expect(await texts(times)).toEqual(['b\n']);
      expect(await texts({ ...times, descending: true })).toEqual(['c\n', 'b\n']);
      expect(await texts({ ...times, limit: 0 })).toEqual([]);
    });

    it('does not find a stream under the name of another run', async () => {
      await put('a\n');
      await store.sync([REF]);
      const other = { ...REF, run: 'test' };
      expect((await store.poll(other, ALL)).events).toEqual([]);
      const outside = { ...REF, run: '..' };
      expect((await store.poll(outside, ALL)).events).toEqual([]);
      await expect(store.append(outside, 0, T0, Buffer.from('x'))).rejects.toMatchObject({
        code: 'bad_stream',
      });
    });

    it('reports once that an hour had more text than its quota', async () => {
      const line = `${'x'.repeat(99)}\n`;
      for (let i = 0; i < 10; i++) await put(line, T0 + i);
      expect(breaches).toEqual([]);
      await put(line, T0 + 3_600_000_000);
      expect(breaches).toEqual([]);
      await put(line.repeat(12), T0 + 3_600_000_001);
      await put(line, T0 + 3_600_000_002);
      expect(breaches).toEqual([{ bytes: 1100, limit: 1000 }]);
    });

    it('deletes a stream and ends its readers', async () => {
      const news: LogNews[] = [];
      store.follow(REF, (item) => news.push(item));
      await put('a\n');
      await store.sync([REF]);
      await store.delete(REF);
      expect(news.at(-1)).toMatchObject({ type: 'ended' });
      expect(await store.length(REF)).toBe(0);
      expect(await texts()).toEqual([]);
    });

    it('serves many writers and readers at the same time', async () => {
      const refs = Array.from({ length: 20 }, (_, i) => ({
        ...REF,
        jobId: `00000000-0000-4000-8000-0000000000${String(i).padStart(2, '0')}`,
      }));
      await Promise.all(
        refs.map(async (ref, i) => {
          for (let n = 0; n < 30; n++) {
            const text = `${i}:${String(n).padStart(2, '0')}\n`;
            await store.append(ref, n * text.length, T0 + n, Buffer.from(text));
            if (n % 10 === 0) await store.sync([ref]);
            if (n % 7 === 0) await store.poll(ref, ALL);
          }
        }),
      );
      for (const [i, ref] of refs.entries()) {
        const { events } = await store.poll(ref, ALL);
        expect(events.map((event) => event.text)).toEqual(
          Array.from({ length: 30 }, (_, n) => `${i}:${String(n).padStart(2, '0')}\n`),
        );
      }
    });
  });
}
