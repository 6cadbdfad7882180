import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { afterEach, expect, it } from 'vitest';
import {
  applyFleet,
  isFinished,
  isRunning,
  newInstallation,
  submit,
  untilRun,
} from './installation.ts';
import { until } from './until.ts';

const COUNT = 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.05; done';

let home: Installation;
afterEach(() => home.dispose());

/** Processes whose command names the job: its supervisor. */
function supervisorsOf(jobId: string): number {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(jobId);
    } catch {
      // It has just ended.
      return false;
    }
  }).length;
}

const linesOf = async (run: string) =>
  [...(await home.ok('logs', run)).matchAll(/line (\d+)/g)].map(([, number]) => Number(number));

const untilMoreThan = (run: string, count: number) =>
  until(async () => (await linesOf(run)).length > count);

it('running jobs of the server go on after a restore, and stop at once', {
  timeout: 120_000,
}, async () => {
  home = newInstallation();
  await home.startServer();
  await applyFleet(home, '0..4');
  for (const name of ['counter', 'other']) await submit(home, name, [COUNT]);
  for (const name of ['counter', 'other']) await untilRun(home, name, isRunning);
  await untilMoreThan('counter', 20);
  const file = join(home.home, 'backup.tar');
  expect(await home.ok('server', 'backup', file)).toContain('keep it in a safe place');
  await submit(home, 'newer', [COUNT]);
  const newer = (await untilRun(home, 'newer', isRunning)).latest_job_submission.id;
  await untilMoreThan('newer', 20);
  expect(supervisorsOf(newer)).toBeGreaterThan(0);
  const refused = await home.dstack(['server', 'restore', file, '-y']);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/is in use \(process/)]);
  const before = (await linesOf('counter')).length;
  await home.stopServer();
  const restored = await home.dstack(['server', 'restore', file, '-y']);
  expect(restored).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(
      /1 run is newer and will be lost: newer[\s\S]*files before are kept/,
    ),
  });
  await home.startServer();
  expect(await home.ok('event')).toMatch(/Database restored at \S+ from the backup of \S+/);
  expect((await home.dstack(['logs', 'newer'])).code).not.toBe(0);
  await until(async () => supervisorsOf(newer) === 0);
  await untilMoreThan('counter', before + 40);
  const lines = await linesOf('counter');
  expect(lines).toEqual(lines.map((_, at) => at + 1));
  await home.ok('stop', 'counter', '-y');
  await untilRun(home, 'counter', isFinished);
  const other = (await untilRun(home, 'other', isRunning)).latest_job_submission.id;
  await home.ok('stop', 'other', '--abort', '-y');
  await untilRun(home, 'other', isFinished);
  await until(async () => supervisorsOf(other) === 0);
});
