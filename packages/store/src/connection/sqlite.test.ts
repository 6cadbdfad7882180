import { fstatSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { expect, it, onTestFinished } from 'vitest';
import { inRequest } from './callers.ts';
import { openMemorySqlite, openSqlite } from './sqlite.ts';

/** A database whose syncs end when the test ends them. */
async function database() {
  const dir = mkdtempSync(join(tmpdir(), 'sqlite-'));
  const syncs: { end(): void; fail(error: Error): void }[] = [];
  let isSlow = false;
  const files: number[] = [];
  const sync = (file: number) => {
    files.push(file);
    return isSlow ? new Promise<void>((end, fail) => syncs.push({ end, fail })) : Promise.resolve();
  };
  let commits = 0;
  const count = (text: string) => {
    if (isSlow && text === 'commit') commits++;
  };
  const { db, close: end } = openSqlite(join(dir, 'data.db'), () => 0, count, sync);
  let closing: Promise<void> | null = null;
  const close = () => {
    closing ??= end();
    return closing;
  };
  onTestFinished(async () => {
    isSlow = false;
    for (const { end } of syncs) end();
    await close();
    rmSync(dir, { recursive: true });
  });
  await sql`create table notes (text text)`.execute(db);
  isSlow = true;
  return {
    ...{ syncs, close },
    isOpen: () => isOpen(files.at(-1) ?? -1),
    logSize: () => statSync(join(dir, 'data.db-wal')).size,
    transactions: () => commits,
    write: (text: string) =>
      db.transaction().execute((tx) => sql`insert into notes values (${text})`.execute(tx)),
    writeAlone: (text: string) => sql`insert into notes values (${text})`.execute(db),
    read: async () => (await sql<{ text: string }>`select text from notes`.execute(db)).rows,
  };
}

function isOpen(file: number): boolean {
  try {
    fstatSync(file);
    return true;
  } catch {
    return false;
  }
}

/** Lets other work of the process go on until this is true. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

function follow(promise: Promise<unknown>): () => string {
  let state = 'waits';
  promise.then(
    () => {
      state = 'done';
    },
    (error: Error) => {
      state = error.message;
    },
  );
  return () => state;
}

it('a writer is answered when its commit is on the disk, alone or in a transaction', async () => {
  const { syncs, write, writeAlone } = await database();
  for (const how of [write, writeAlone]) {
    const state = follow(how('a'));
    await until(() => syncs.length === 1);
    expect(state()).toBe('waits');
    syncs.pop()?.end();
    await until(() => state() === 'done');
  }
});

it('a request goes on while the disk is busy, and is answered when all that it did is on the disk', async () => {
  const { syncs, write, read, writeAlone } = await database();
  const steps: string[] = [];
  const answered = inRequest(async (settled) => {
    await write('one');
    await writeAlone('two');
    steps.push(`${(await read()).length} written, ${syncs.length} syncs`);
    await settled();
    steps.push('answered');
    await write('three');
    steps.push('three');
  });
  await until(() => syncs.length === 1);
  expect(steps).toEqual(['2 written, 0 syncs']);
  syncs.pop()?.end();
  await until(() => syncs.length === 1);
  // After the answer, a stream waits for each of its writes itself.
  expect(steps.slice(1)).toEqual(['answered']);
  syncs.pop()?.end();
  await answered;
  expect(steps.slice(1)).toEqual(['answered', 'three']);
});

it('a request that reads what another has just written waits for the disk, too', async () => {
  const { syncs, write, read } = await database();
  const written = write('one');
  await until(() => syncs.length === 1);
  let seen = 0;
  const answered = inRequest(async (settled) => {
    const notes = await read();
    await settled();
    seen = notes.length;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toBe(0);
  syncs.pop()?.end();
  await Promise.all([written, answered]);
  expect(seen).toBe(1);
});

it('a request fails if the disk does', async () => {
  const { syncs, write } = await database();
  const answered = inRequest(async (settled) => {
    await write('one');
    await settled();
  });
  await until(() => syncs.length === 1);
  syncs.pop()?.fail(new Error('no space'));
  await expect(answered).rejects.toThrow('no space');
});

it('the next transaction begins while the disk is busy, and shares the next sync', async () => {
  const { syncs, write, transactions } = await database();
  const first = follow(write('a'));
  await until(() => syncs.length === 1);
  const others = [follow(write('b')), follow(write('c'))];
  await until(() => transactions() === 3);
  syncs[0]?.end();
  await until(() => first() === 'done' && syncs.length === 2);
  expect(others.map((state) => state())).toEqual(['waits', 'waits']);
  syncs[1]?.end();
  await until(() => others.every((state) => state() === 'done'));
  expect(syncs.length).toBe(2);
});

it('a reader learns of nothing that a loss of power could take back', async () => {
  const { syncs, write, read, transactions } = await database();
  const writer = follow(write('a'));
  await until(() => syncs.length === 1);
  const rows = read();
  const reader = follow(rows);
  const next = follow(write('b'));
  await until(() => transactions() === 2);
  expect(reader()).toBe('waits');
  for (const one of [0, 1]) {
    await until(() => syncs.length > one);
    syncs[one]?.end();
  }
  expect(await rows).toEqual([{ text: 'a' }]);
  await until(() => writer() === 'done' && next() === 'done');
});

it('a failed sync rejects the writer, and the next one tries again', async () => {
  const { syncs, write } = await database();
  const first = follow(write('a'));
  await until(() => syncs.length === 1);
  syncs[0]?.fail(new Error('EIO'));
  await until(() => first() === 'EIO');
  const next = follow(write('b'));
  await until(() => syncs.length === 2);
  syncs[1]?.end();
  await until(() => next() === 'done');
});

it('after a failed sync everything is written again before a caller goes on', async () => {
  const { syncs, write, read, logSize } = await database();
  const first = follow(write('a'));
  await until(() => syncs.length === 1);
  syncs[0]?.fail(new Error('EIO'));
  await until(() => first() === 'EIO');
  expect(logSize()).toBeGreaterThan(0);
  const rows = read();
  await until(() => syncs.length === 2);
  // All of it is in the database file, which SQLite has synced.
  expect(logSize()).toBe(0);
  syncs[1]?.end();
  expect(await rows).toEqual([{ text: 'a' }]);
});

it('a commit during the end of the server is synced before the log is closed', async () => {
  const { syncs, write, close, isOpen } = await database();
  const writer = follow(write('a'));
  await until(() => syncs.length === 1);
  const closed = follow(close());
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect([closed(), isOpen()]).toEqual(['waits', true]);
  syncs[0]?.end();
  await until(() => writer() === 'done' && closed() === 'done');
});

it('no reader waits for a disk to which nothing was written', async () => {
  const { syncs, read } = await database();
  expect(await read()).toEqual([]);
  expect(syncs.length).toBe(0);
});

it('writes a database in memory to its file when it is closed', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sqlite-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const path = join(dir, "a name with a '.db");
  const memory = openMemorySqlite(undefined, path);
  await sql`create table notes (text text)`.execute(memory.db);
  await sql`insert into notes values ('kept')`.execute(memory.db);
  await memory.close();
  const { db, close } = openSqlite(path, () => 0);
  onTestFinished(close);
  expect((await sql`select * from notes`.execute(db)).rows).toEqual([{ text: 'kept' }]);
});
