import { expect, it, onTestFinished } from 'vitest';
import { JobLog } from '../jobs/job-log.ts';
import type { SpoolChunk, SpoolReader } from '../spool/spool-reader.ts';
import { LogPusher } from './log-pusher.ts';

const ID = '11111111-1111-4111-8111-111111111111';

/** The output of a job that has ended, whose reads resolve when the test says so. */
function output(text: string) {
  const bytes = Buffer.from(text);
  const reads: (() => void)[] = [];
  const spool: SpoolReader = {
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
  const log = new JobLog();
  log.attach(spool);
  return { log, read: () => reads.shift()?.() };
}

it('reports no gap when the server rewinds a log that is being read', async () => {
  const { log, read } = output('line 1\nline 2\n');
  const pusher = new LogPusher(ID, log, 7, () => {});
  onTestFinished(() => pusher.close());
  const turn = pusher.next();
  pusher.rewind(0);
  read();
  expect(await turn).toBeNull();
  const again = pusher.next();
  read();
  expect(await again).toHaveProperty('frame');
});
