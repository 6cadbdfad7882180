import { decodeLogFrame, INITIAL_CREDIT, MAX_LOG_FRAME } from '@dstack/contract/agent';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { JobLog } from '../jobs/job-log.ts';
import type { FileSpoolReader } from '../spool/file-spool-reader.ts';
import type { SpoolChunk, SpoolReader } from '../spool/spool-reader.ts';
import { MemorySpool } from '../testing/scripted-executor.ts';
import { LogPusher } from './log-pusher.ts';

const ID = '11111111-1111-4111-8111-111111111111';

let spool: MemorySpool;
let log: JobLog;
let wakes: number;
let pusher: LogPusher;

beforeEach(() => {
  vi.useFakeTimers();
  spool = new MemorySpool();
  log = new JobLog();
  log.attach(spool);
  wakes = 0;
  pusher = follow(0);
});
afterEach(() => {
  pusher.close();
  vi.useRealTimers();
});

function follow(offset: number): LogPusher {
  return new LogPusher(ID, log, offset, () => {
    wakes += 1;
  });
}

/** The result of the next turn: text at its offset, the offset of a gap, or null. */
async function turn(): Promise<[number, string] | number | null> {
  const done = await pusher.next();
  if (done === null) return null;
  if ('gap' in done) return done.gap;
  const { id, offset, bytes } = decodeLogFrame(done.frame);
  expect(id).toBe(ID);
  return [offset, Buffer.from(bytes).toString()];
}

describe('the pusher of a log', () => {
  it('requests a turn at once after a pause, and collects lines that follow closely', async () => {
    spool.print('one\n');
    vi.advanceTimersByTime(0);
    expect(wakes).toBe(1);
    expect(await turn()).toEqual([0, 'one\n']);
    spool.print('two\n');
    spool.print('three\n');
    vi.advanceTimersByTime(7);
    expect(wakes).toBe(1);
    vi.advanceTimersByTime(1);
    expect(wakes).toBe(2);
    expect(await turn()).toEqual([4, 'two\nthree\n']);
    expect(await turn()).toBeNull();
  });

  it('keeps an unfinished line back for 90 ms', async () => {
    spool.print('one\n50 %');
    expect(await turn()).toEqual([0, 'one\n']);
    expect(await turn()).toBeNull();
    vi.advanceTimersByTime(89);
    expect(await turn()).toBeNull();
    vi.advanceTimersByTime(1);
    expect(await turn()).toEqual([4, '50 %']);
  });

  it('sends the unfinished end of a job that is over at once', async () => {
    spool.print('the end');
    log.finish(spool as unknown as FileSpoolReader);
    expect(await turn()).toEqual([0, 'the end']);
  });

  it('sends frames of limited length, as many as its credit pays for', async () => {
    spool.print(`${'x'.repeat(INITIAL_CREDIT)}rest\n`);
    for (let sent = 0; sent < INITIAL_CREDIT; sent += MAX_LOG_FRAME) {
      expect(await turn()).toEqual([sent, 'x'.repeat(MAX_LOG_FRAME)]);
    }
    expect(await turn()).toBeNull();
    const before = wakes;
    pusher.addCredit(5);
    expect(wakes).toBe(before + 1);
    expect(await turn()).toEqual([INITIAL_CREDIT, 'rest\n']);
  });

  it('gives back the credit of what it sends again', async () => {
    spool.print(`${'x'.repeat(INITIAL_CREDIT - 1)}\n`);
    while ((await turn()) !== null);
    pusher.rewind(INITIAL_CREDIT - 3);
    expect(await turn()).toEqual([INITIAL_CREDIT - 3, 'xx\n']);
    expect(await turn()).toBeNull();
  });

  it('reports a gap where the spool has lost bytes, and continues after it', async () => {
    spool.print('lost\nkept\n');
    spool.drop(5);
    expect(await turn()).toBe(5);
    expect(await turn()).toEqual([5, 'kept\n']);
  });

  it('begins where the server has ended', async () => {
    spool.print('one\ntwo\n');
    pusher.close();
    pusher = follow(4);
    expect(await turn()).toEqual([4, 'two\n']);
  });

  it('sends nothing and requests nothing once it is closed', async () => {
    pusher.close();
    spool.print('one\n');
    pusher.addCredit(1);
    vi.advanceTimersByTime(1000);
    expect(wakes).toBe(0);
    expect(await turn()).toBeNull();
  });
});

/** The output of an ended job, whose reads resolve when the test decides. */
function output(text: string) {
  const bytes = Buffer.from(text);
  const reads: (() => void)[] = [];
  const slow: SpoolReader = {
    start: 0,
    end: bytes.length,
    ended: Promise.resolve(bytes.length),
    follow: () => () => {},
    read: (offset, max) =>
      new Promise<SpoolChunk>((resolve) => {
        const chunk = { offset, time: 1, bytes: bytes.subarray(offset, offset + max) };
        reads.push(() => resolve(chunk));
      }),
  };
  log = new JobLog();
  log.attach(slow);
  return () => reads.shift()?.();
}

it('reports no gap when the server rewinds a log that is being read', async () => {
  const read = output('line 1\nline 2\n');
  pusher.close();
  pusher = follow(7);
  const first = pusher.next();
  pusher.rewind(0);
  read();
  expect(await first).toBeNull();
  const again = pusher.next();
  read();
  expect(await again).toHaveProperty('frame');
});
