import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openSqlite, type SqliteConnection } from '../connection/sqlite.ts';
import { migrate } from '../migrations/migrate.ts';
import type { LogPieceRecord } from '../schema/work-records.ts';
import { createLogPieces } from './log-pieces.ts';
import type { LogPieces } from './types.ts';

let dir: string;
let connection: SqliteConnection;
let pieces: LogPieces;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pieces-'));
  connection = openSqlite(join(dir, 'test.db'), () => 0);
  const { db } = connection;
  await migrate({ db, postgres: false, now: () => 0, label: 'test.db' });
  pieces = createLogPieces({ db });
});
afterEach(async () => {
  await connection.close();
  await rm(dir, { recursive: true });
});

function piece(seq: number, part: Partial<LogPieceRecord>): LogPieceRecord {
  return {
    jobId: 'job',
    seq,
    project: 'main',
    run: 'train',
    startOffset: 0,
    endOffset: 0,
    bytes: new Uint8Array(),
    marks: new Uint8Array(),
    firstEvent: 0,
    eventCount: 0,
    events: new Uint8Array(),
    ended: false,
    ...part,
  };
}

const some = new Uint8Array([1]);
const first = piece(0, { endOffset: 1, bytes: some, marks: some, eventCount: 2, events: some });
const gap = piece(1, { startOffset: 10, endOffset: 10, firstEvent: 2, eventCount: 1 });
const last = piece(2, {
  startOffset: 10,
  endOffset: 11,
  bytes: some,
  marks: some,
  firstEvent: 3,
  eventCount: 1,
  ended: true,
});

it('takes each number once', async () => {
  expect(await pieces.newest('job')).toBeNull();
  expect(await pieces.insert(first)).toBe(true);
  expect(await pieces.insert({ ...last, seq: 0 })).toBe(false);
  expect(await pieces.insert({ ...first, jobId: 'other' })).toBe(true);
  expect({ ...(await pieces.newest('job')) }).toMatchObject({ seq: 0, eventCount: 2 });
});

it('finds pieces by offset and by event', async () => {
  for (const row of [first, gap, last]) await pieces.insert(row);
  expect(await pieces.newest('job')).toMatchObject({ seq: 2, ended: true });
  const byOffset = async (offset: number) => (await pieces.withOffset('job', offset))?.seq;
  expect([await byOffset(0), await byOffset(1), await byOffset(10), await byOffset(11)]).toEqual([
    0,
    2,
    2,
    undefined,
  ]);
  const byEvent = async (ordinal: number) => (await pieces.withEvent('job', ordinal))?.seq;
  expect([await byEvent(1), await byEvent(2), await byEvent(3), await byEvent(4)]).toEqual([
    0,
    1,
    2,
    undefined,
  ]);
});

it('keeps bytes as they are and deletes those of one job', async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  await pieces.insert({ ...first, bytes });
  expect(Buffer.from((await pieces.withOffset('job', 0))!.bytes)).toEqual(Buffer.from(bytes));
  await pieces.insert({ ...first, jobId: 'other' });
  await pieces.delete('job');
  expect(await pieces.newest('job')).toBeNull();
  expect(await pieces.newest('other')).not.toBeNull();
});
