import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeLogStore } from '../log-store.suite.ts';
import type { StreamStoreOptions } from '../stream-store.ts';
import { FileLogStore, type FileLogsOptions } from './file-log-store.ts';

const QUIET = { quotaPerHour: 0, onQuota: () => {}, now: () => T0 };
const T0 = 1_700_000_000_000_000;
const REF = { project: 'p', run: 'r', jobId: '7971ea15-4056-4bef-8833-c93e0e7d5128' };
const ALL = { startTime: null, endTime: null, descending: false, nextToken: null, limit: 1000 };

function openStore(options: FileLogsOptions & Partial<StreamStoreOptions>): FileLogStore {
  return new FileLogStore({
    ...QUIET,
    onSyncError: (_, error) => {
      throw error;
    },
    ...options,
  });
}

// Segments and caches so small that every test crosses their borders.
for (const small of [{}, { segmentBytes: 5, maxOpenFiles: 3, maxOpenStreams: 2 }]) {
  describeLogStore(`file log store ${JSON.stringify(small)}`, async (options) => {
    const root = await mkdtemp(join(tmpdir(), 'logs-'));
    const stores: FileLogStore[] = [];
    const open = () => {
      const store = openStore({ root, ...options, ...small });
      stores.push(store);
      return store;
    };
    return {
      store: open(),
      crash: async () => open(),
      remove: async () => {
        for (const store of stores) await store.close();
        await rm(root, { recursive: true });
      },
    };
  });
}

describe('files of a log', () => {
  let root: string;
  let dir: string;
  let store: FileLogStore;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'logs-'));
    dir = join(root, 'p', 'r', REF.jobId);
    store = openStore({ root });
  });
  afterEach(async () => {
    await store.close();
    await rm(root, { recursive: true });
  });

  async function texts(): Promise<string[]> {
    return (await store.poll(REF, ALL)).events.map((event) => event.text);
  }

  it('contain the raw output, readable with any tool', async () => {
    await store.append(REF, 0, T0, Buffer.from('\x1b[1mone\x1b[m\n'));
    expect(await readFile(join(dir, '0000000000000000.log'), 'utf8')).toBe('\x1b[1mone\x1b[m\n');
  });

  it('lose a torn tail without a mark', async () => {
    await store.append(REF, 0, T0, Buffer.from('one\ntwo\n'));
    await store.close();
    await writeFile(join(dir, '0000000000000000.log'), 'one\ntwo\n\0\0\0');
    store = openStore({ root });
    expect(await store.length(REF)).toBe(8);
    expect(await texts()).toEqual(['one\n', 'two\n']);
  });

  it('lose the last append if its bytes do not match its mark', async () => {
    await store.append(REF, 0, T0, Buffer.from('one\n'));
    await store.append(REF, 4, T0, Buffer.from('two\n'));
    await store.close();
    await writeFile(join(dir, '0000000000000000.log'), 'one\nt\0\0\0');
    store = openStore({ root });
    expect(await store.length(REF)).toBe(4);
    expect(await texts()).toEqual(['one\n']);
    await store.append(REF, 4, T0, Buffer.from('two\n'));
    expect(await texts()).toEqual(['one\n', 'two\n']);
  });

  it('get a new index with the same events if it was deleted', async () => {
    const text = `${'x'.repeat(99)}\n`.repeat(2000);
    await store.append(REF, 0, T0, Buffer.from(text));
    await store.end(REF);
    const before = await store.poll(REF, ALL);
    await store.close();
    for (const name of await readdir(dir)) {
      if (!name.endsWith('.log')) await rm(join(dir, name));
    }
    store = openStore({ root });
    expect(await store.length(REF)).toBe(text.length);
    expect((await store.poll(REF, ALL)).events.map((event) => event.text)).toEqual(
      before.events.map((event) => event.text),
    );
  });

  it('survive a torn event index', async () => {
    await store.append(REF, 0, T0, Buffer.from('one\ntwo\nthree\n'));
    await store.close();
    await truncate(join(dir, 'events.idx'), 24 + 11);
    store = openStore({ root });
    expect(await texts()).toEqual(['one\n', 'two\n', 'three\n']);
  });

  it('are deleted with the log, and the folder of the run with its last log', async () => {
    await store.append(REF, 0, T0, Buffer.from('one\n'));
    await store.delete(REF);
    expect(await readdir(join(root, 'p'))).toEqual([]);
  });

  it('have the times of a place among thousands of appends', async () => {
    for (let at = 0; at < 3000; at += 1) {
      await store.append(REF, at, T0 + at * 1000, Buffer.from('x'));
    }
    await store.sync([REF]);
    const first = Math.floor(T0 / 1000);
    expect(await store.readTimes(REF, 2500, 2502)).toEqual([
      { end: 2501, time: first + 2500 },
      { end: 2502, time: first + 2501 },
    ]);
    expect(await store.readTimes(REF, 0, 3000)).toHaveLength(3000);
  });

  it('are paged with bounded memory', async () => {
    const line = `${'y'.repeat(20_000)}\n`;
    for (let i = 0; i < 500; i++) {
      await store.append(REF, i * line.length, T0 + i, Buffer.from(line));
    }
    for (const descending of [false, true]) {
      let [count, nextToken]: [number, string | null] = [0, null];
      do {
        const page = await store.poll(REF, { ...ALL, descending, nextToken });
        expect(page.events.length).toBeLessThan(250);
        expect(page.events.every((event) => event.text === line)).toBe(true);
        count += page.events.length;
        nextToken = page.nextToken;
      } while (nextToken !== null);
      expect(count).toBe(500);
    }
  });
});
