import type { LogPieceRecord, LogPieces, LogSignals } from '@dstack/store';
import { describe, expect, it } from 'vitest';
import { describeLogStore } from '../log-store.suite.ts';
import { TableLogStore } from './table-log-store.ts';

/** The table in memory, with the behaviour of `log_pieces` in the store package. */
function memoryTables(): LogPieces & { fail: Error | null } {
  const rows: LogPieceRecord[] = [];
  const of = (jobId: string) => rows.filter((row) => row.jobId === jobId);
  return {
    fail: null,
    async newest(jobId) {
      return of(jobId).at(-1) ?? null;
    },
    async insert(row) {
      if (this.fail) throw this.fail;
      if (of(row.jobId).some((other) => other.seq === row.seq)) return false;
      rows.push(row);
      return true;
    },
    async withOffset(jobId, offset) {
      return of(jobId).find((row) => row.bytes.length > 0 && row.endOffset > offset) ?? null;
    },
    async withEvent(jobId, ordinal) {
      return of(jobId).find((row) => row.firstEvent + row.eventCount > ordinal) ?? null;
    },
    async delete(jobId) {
      const kept = rows.filter((row) => row.jobId !== jobId);
      rows.splice(0, rows.length, ...kept);
    },
  };
}

class Signals {
  readonly #listeners = new Set<(stream: string) => void>();

  /** The signals as seen by one of the servers. */
  forServer(): LogSignals {
    let own: ((stream: string) => void) | null = null;
    return {
      announce: (stream) => {
        for (const listener of this.#listeners) if (listener !== own) listener(stream);
      },
      subscribe: (listener) => {
        own = listener;
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
  }
}

const REF = { project: 'p', run: 'r', jobId: '7971ea15-4056-4bef-8833-c93e0e7d5128' };
const ALL = { startTime: null, endTime: null, descending: false, nextToken: null, limit: 1000 };
const T0 = 1_700_000_000_000_000;

const onSyncError = () => {
  throw new Error('a sync failed');
};

for (const maxOpenStreams of [100, 2]) {
  describeLogStore(`table log store, ${maxOpenStreams} open`, async (options) => {
    const tables = memoryTables();
    const signals = new Signals();
    const open = () =>
      new TableLogStore({
        tables,
        signals: signals.forServer(),
        onSyncError,
        maxOpenStreams,
        ...options,
      });
    return { store: open(), crash: async () => open(), remove: async () => {} };
  });
}

describe('two servers on one database', () => {
  function pair() {
    const tables = memoryTables();
    const signals = new Signals();
    const failures: string[] = [];
    const open = () =>
      new TableLogStore({
        tables,
        signals: signals.forServer(),
        now: () => T0,
        quotaPerHour: 0,
        onQuota: () => {},
        onSyncError: (_, error) => failures.push(error.code),
      });
    return { tables, failures, a: open(), b: open() };
  }

  it('read what the other has synced, and are notified of it', async () => {
    const { a, b } = pair();
    const grown = new Promise<number>((resolve) => {
      b.follow(REF, (news) => resolve(news.length));
    });
    await a.append(REF, 0, T0, Buffer.from('one\ntwo'));
    await a.sync([REF]);
    expect(await grown).toBe(7);
    expect((await b.poll(REF, ALL)).events.map((event) => event.text)).toEqual(['one\n']);
    expect(Buffer.from((await b.readRaw(REF, 1, 100))!.bytes).toString()).toBe('ne\ntwo');
    const ended = new Promise<string>((resolve) => {
      b.follow(REF, (news) => resolve(news.type));
    });
    await a.end(REF);
    expect(await ended).toBe('ended');
    expect(await b.status(REF)).toEqual({ length: 7, ended: true });
    await Promise.all([a.close(), b.close()]);
  });

  it('let the new owner of the host continue exactly where the other has stopped', async () => {
    const { a, b, failures } = pair();
    await a.append(REF, 0, T0, Buffer.from('one\ntw'));
    await a.sync([REF]);
    await a.append(REF, 6, T0, Buffer.from('never acknowledged'));
    expect(await b.length(REF)).toBe(6);
    await b.append(REF, 6, T0 + 1, Buffer.from('o\n'));
    await b.sync([REF]);
    expect(await a.sync([REF])).toEqual({});
    expect(failures).toEqual(['failed']);
    expect(await a.append(REF, 24, T0, Buffer.from('x'))).toEqual({ length: 8, gapFrom: 8 });
    expect((await a.poll(REF, ALL)).events.map((event) => event.text)).toEqual(['one\n', 'two\n']);
    await Promise.all([a.close(), b.close()]);
  });

  it('skip nothing that is stored while a reader waits for the database', async () => {
    const { a, tables } = pair();
    await a.append(REF, 0, T0, Buffer.from('one\n'));
    await a.sync([REF]);
    const { withOffset } = tables;
    const answered = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    tables.withOffset = async (...query) => {
      tables.withOffset = withOffset;
      const row = await withOffset(...query);
      asked.resolve();
      await answered.promise;
      return row;
    };
    const piece = a.readRaw(REF, 4, 100);
    await asked.promise;
    await a.append(REF, 4, T0, Buffer.from('two\n'));
    await a.sync([REF]);
    await a.append(REF, 8, T0, Buffer.from('three\n'));
    answered.resolve();
    const { offset, bytes } = (await piece)!;
    expect([offset, Buffer.from(bytes).toString()]).toEqual([4, 'two\n']);
    await a.close();
  });

  it('keep in memory, up to a bound, what the database refuses', async () => {
    const { a, tables, failures } = pair();
    tables.fail = Object.assign(new Error('no space'), { code: 'ENOSPC' });
    const block = Buffer.alloc(100_000, 'x');
    for (let i = 0; i < 3; i++) await a.append(REF, i * 100_000, T0, block);
    await expect(a.append(REF, 300_000, T0, block)).rejects.toMatchObject({ code: 'disk_full' });
    expect(await a.sync([REF])).toEqual({});
    expect(failures).toEqual(['disk_full']);
    tables.fail = null;
    expect(await a.append(REF, 300_000, T0, block)).toEqual({ length: 400_000, gapFrom: null });
    expect(await a.sync([REF])).toEqual({ [REF.jobId]: 400_000 });
    await a.close();
  });
});
