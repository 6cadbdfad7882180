import type { Run } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import type { Cli, Connection } from '../context.ts';
import { createIo } from '../terminal/io.ts';
import { StartProgress } from './start-progress.ts';
import { isKeptWaiting, WaitReasons } from './wait-reasons.ts';

const run = (status: Run['status'], next_triggered_at: string | null = null): Run =>
  ({
    ...{ status, next_triggered_at, jobs: [], submitted_at: '2026-11-24T12:00:00Z' },
    run_spec: { run_name: 'train', configuration: { type: 'task' } },
  }) as unknown as Run;

/** A clock that the test moves. */
function stoppedClock() {
  const waits: { readonly ms: number; readonly go: () => void }[] = [];
  const wait: Cli['wait'] = (ms, signal) =>
    new Promise((go, reject) => {
      waits.push({ ms, go });
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  const tick = async () => {
    waits.at(-1)?.go();
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  return { wait, waits, tick };
}

function following(answers: readonly (string | null | Error)[]) {
  const left = [...answers];
  const explain = async () => {
    const summary = left.length > 1 ? left.shift() : left[0];
    if (summary instanceof Error) throw summary;
    return { summary, waiting_for: summary === null ? null : 'busy' };
  };
  const clock = stoppedClock();
  const shown: (string | null)[] = [];
  const connection = { project: { explain } } as unknown as Connection;
  const cli = { wait: clock.wait } as unknown as Cli;
  const reasons = new WaitReasons(connection, cli, (reason) => shown.push(reason));
  return { reasons, shown, ...clock };
}

test.each<[Run, boolean]>([
  [run('submitted'), true],
  [run('pending'), true],
  [run('pending', '2026-11-25T08:00:00Z'), false],
  [run('provisioning'), false],
  [run('running'), false],
  [run('failed'), false],
])('%j counts as waiting: %s', (one, expected) => {
  expect(isKeptWaiting(one)).toBe(expected);
});

test('a run that waits briefly gets no reason', () => {
  const { reasons, shown, waits } = following(['lab is full']);
  reasons.follow(run('submitted'));
  reasons.follow(run('running'));
  expect(shown).toEqual([null]);
  expect(waits).toHaveLength(1);
});

test('a run that waits longer shows the reason, and shows it again when it changes', async () => {
  const { reasons, shown, waits, tick } = following(['lab is full', 'lab-0 is unreachable']);
  reasons.follow(run('submitted'));
  await tick();
  reasons.follow(run('submitted'));
  await tick();
  expect(shown).toEqual(['lab is full', 'lab-0 is unreachable']);
  expect(waits.map((one) => one.ms)).toEqual([2000, 30_000, 30_000]);
  reasons.follow(run('running'));
  await tick();
  expect(shown.at(-1)).toBeNull();
  expect(waits).toHaveLength(3);
});

test('a server that cannot explain is not an error', async () => {
  const { reasons, shown, tick } = following([new Error('not found')]);
  reasons.follow(run('submitted'));
  await tick();
  expect(shown).toEqual([null]);
});

function progress(terminal: number | null) {
  let text = '';
  const err = {
    isTTY: terminal !== null,
    columns: terminal ?? undefined,
    write: (data: string | Uint8Array) => {
      text += data;
    },
  };
  const streams = { out: err, err, input: { async *[Symbol.asyncIterator]() {} } };
  const io = createIo(streams, {}, 'never');
  const shown = new StartProgress({ io, now: () => 0 } as unknown as Cli);
  return { shown, text: () => text };
}

test('without a terminal the reason is printed once, in its own line', () => {
  const { shown, text } = progress(null);
  shown.show(run('submitted'), null);
  shown.explain('Run train waits for a place: lab is full.');
  shown.explain('Run train waits for a place: lab is full.');
  shown.explain(null);
  expect(text().match(/lab is full/g)).toHaveLength(1);
});

test('on a terminal the reason is shown below the table while it applies', () => {
  const { shown, text } = progress(80);
  shown.show(run('submitted'), null);
  shown.explain('lab is full');
  expect(text().trimEnd().endsWith('lab is full')).toBe(true);
  const before = text().length;
  shown.explain(null);
  expect(text().slice(before)).not.toContain('lab is full');
  shown.stop();
});
