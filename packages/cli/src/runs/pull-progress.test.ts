import type { Run } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import type { Cli } from '../context.ts';
import { createIo } from '../terminal/io.ts';
import { attachedRun, withStatus } from '../testing/apply-run.ts';
import { PullRate } from './pull-progress.ts';
import { StartProgress } from './start-progress.ts';

const report = (downloaded_bytes: number, isFinal = true) => ({
  downloaded_bytes,
  extracted_bytes: 0,
  total_bytes: 1000,
  is_total_bytes_final: isFinal,
});

test('the speed of a pull and the time left come from its reports', () => {
  const rate = new PullRate();
  expect(rate.add(report(100), 0)).toMatchObject({ bytes_per_second: null, eta_seconds: null });
  expect(rate.add(report(300), 2000)).toMatchObject({ bytes_per_second: 100, eta_seconds: 7 });
  expect(rate.add(report(300), 4000)).toMatchObject({ bytes_per_second: 50, eta_seconds: 14 });
  expect(rate.add(report(400, false), 5000).eta_seconds).toBe(null);
});

test('a pull that starts again is measured anew', () => {
  const rate = new PullRate();
  rate.add(report(900), 0);
  expect(rate.add(report(10), 1000).bytes_per_second).toBe(null);
  expect(rate.add(report(20), 2000).bytes_per_second).toBe(10);
});

async function pulling(downloaded: number): Promise<Run> {
  const run = withStatus(await attachedRun(), 'provisioning', 'pulling', 'pulling');
  const submission = run.jobs[0]?.job_submissions.at(-1);
  const bytes = { downloaded_bytes: downloaded * 1e6, extracted_bytes: 2e6, total_bytes: 82e6 };
  if (submission) submission.image_pull_progress = { ...bytes, is_total_bytes_final: true };
  return run;
}

test('the live block shows elapsed time, bytes, speed and the time left', async () => {
  let screen = '';
  const sink = {
    isTTY: true,
    columns: 100,
    rows: 30,
    write: (text: string | Uint8Array) => (screen = String(text)),
  };
  const io = createIo({ out: sink, err: sink, input: [] as never }, {}, 'never');
  const run = await pulling(31);
  let now = Date.parse(run.submitted_at) + 10_000;
  const progress = new StartProgress({ io, now: () => now } as unknown as Cli);
  progress.show(run, null);
  now += 1000;
  progress.show(await pulling(41), null);
  const shown = screen;
  progress.stop();
  expect(shown).toContain('Launching cdd080... 11s\n');
  expect(shown).toContain('Pulling the image: 41 MB of 82 MB, 10 MB/s, 5s left\n');
});

test('without a terminal, stages of a machine are lines, and amounts of the agent are none', async () => {
  let printed = '';
  const sink = { isTTY: false, write: (text: string | Uint8Array) => (printed += String(text)) };
  const io = createIo({ out: sink, err: sink, input: [] as never }, {}, 'never');
  const progress = new StartProgress({ io, now: () => 0 } as unknown as Cli);
  const installing = [1, 43, 68].map((sent) => `Installing the agent (${sent} of 68 MB)`);
  for (const stage of ['ordered', 'booting', 'connecting', ...installing]) {
    const text = `provisioning (${stage})`;
    progress.show(withStatus(await attachedRun(), 'provisioning', 'provisioning', text), null);
  }
  const lines = printed.trim().split('\n');
  expect(lines.map((line) => line.replace(/^.*cdd080: /, ''))).toEqual([
    'provisioning (ordered)',
    'provisioning (booting)',
    'provisioning (connecting)',
    'provisioning (Installing the agent)',
  ]);
});
