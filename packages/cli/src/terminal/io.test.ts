import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { createIo } from './io.ts';

const io = (out: PassThrough) => createIo({ out, err: out, input: out }, {}, 'never');

test('a slow reader is waited for, so that what it has not read yet stays small', async () => {
  const out = new PassThrough({ highWaterMark: 10 });
  const { out: sink, drained } = io(out);
  sink.write('short');
  await drained();
  sink.write('more than it takes');
  let waits = true;
  const waiting = drained().then(() => {
    waits = false;
  });
  await Promise.resolve();
  expect(waits).toBe(true);
  out.resume();
  await waiting;
});

test('a reader that has gone is not waited for', async () => {
  const out = new PassThrough({ highWaterMark: 10 });
  const { out: sink, drained } = io(out);
  sink.write('more than it takes');
  const waiting = drained();
  out.destroy();
  await waiting;
});
