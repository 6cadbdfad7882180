/**
 * Two servers on one PostgreSQL, both with wrong clocks of which one is set while they work: everything that
 * counts time. `DSTACK_TEST_CLOCKS=all` walks through more clocks than CI.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Installation, postgresBinaries, startPostgres } from '@dstack/testkit';
import { jobProgram } from '@dstack/testkit/job-programs';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  applyFleet,
  configuration,
  isFinished,
  isRunning,
  newInstallation,
  newServerBeside,
  sharedFile,
  showRun,
  submit,
  untilRun,
} from './installation.ts';
import { waitFor } from './until.ts';
import { faketime, wrongClock } from './wrong-clock.ts';

const app = jobProgram(join(import.meta.dirname, 'service-app.ts'));
const binaries = postgresBinaries();

/** The clocks of the two servers, and to what the first one is set. */
const CLOCKS: readonly (readonly [first: string, second: string, then: string])[] = [
  ['+1h', '-1h', '-1h'],
  ['+1d', '+0', '-1d'],
  ['-1d', '+1d', '+0'],
  ['-1h', '+0', '+1d'],
];
const TESTED = process.env.DSTACK_TEST_CLOCKS === 'all' ? CLOCKS : CLOCKS.slice(0, 1);

const PATIENT = 'retry: {on_events: [no-capacity], duration: 30m}\n';
const SECOND_MS = 1000;
/** Far below the hour by which the clocks differ, and far above what a busy computer needs. */
const MOST_MS = 1800 * SECOND_MS;

let homes: Installation[] = [];
afterEach(async () => {
  for (const home of homes) await home.dispose();
  homes = [];
});

const authorization = (home: Installation) => ({ authorization: `Bearer ${home.token()}` });

/** A server without a replica of its own keeps the request, or has none to answer with: it is asked again. */
async function isAnswered(home: Installation, name: string): Promise<boolean> {
  const request = fetch(`${home.url}/proxy/services/main/${name}/`, {
    ...{ headers: authorization(home), signal: AbortSignal.timeout(5000) },
  });
  return await request.then(
    async (answer) => {
      await answer.text();
      return answer.status === 200;
    },
    () => false,
  );
}

/** Whether one of the servers answers: each reaches the replicas on its own computer only. */
async function answers(name: string): Promise<boolean> {
  const all = await Promise.all(homes.map((home) => isAnswered(home, name)));
  return all.some(Boolean);
}

async function untilAnswers(home: Installation, name: string): Promise<void> {
  await waitFor(
    () => answers(name),
    Boolean,
    () => home.ok('explain', name, '-v'),
  );
}

/** Times are those of the API. */
interface Submission {
  readonly status: string;
  readonly exit_status: number | null;
  readonly submitted_at: string;
  readonly finished_at: string;
}

const FINISHED = ['done', 'failed', 'terminated', 'aborted'];

/** Submissions of all jobs of a run. */
async function shown(home: Installation, name: string): Promise<readonly Submission[]> {
  const run = await home.api<{
    readonly jobs: readonly { readonly job_submissions: readonly Submission[] }[];
  }>('/api/project/main/runs/get', { run_name: name });
  return run.jobs.flatMap((job) => job.job_submissions);
}

async function start(first: string, second: string) {
  const cluster = await startPostgres(binaries ?? '');
  onTestFinished(() => cluster.stop());
  const { url } = await cluster.createDatabase();
  const clock = wrongClock(first, { rightAgents: true });
  const one = newInstallation({ DSTACK_DATABASE_URL: url, ...clock.env });
  homes.push(one);
  await one.startServer();
  const { env } = wrongClock(second, { rightAgents: true });
  const two = await newServerBeside(one, { DSTACK_DATABASE_URL: url, ...env });
  homes.push(two);
  return { one, two, set: clock.set };
}

interface Fleet {
  readonly instances: readonly { readonly status: string }[];
}

describe.skipIf(!faketime || binaries === null)('servers with wrong clocks', () => {
  it.each(TESTED)(
    '%s and %s, the first set to %s, count time as if they were right',
    async (first, second, then) => {
      const { one, two, set } = await start(first, second);
      await applyFleet(one, '0..8', 'idle_duration: 15s\n');
      await submit(one, 'endless', ['while :; do sleep 0.1; done'], `max_duration: 1h\n${PATIENT}`);
      await submit(
        two,
        'limited',
        ['while :; do sleep 0.1; done'],
        `max_duration: 20s\n${PATIENT}`,
      );
      const service = `type: service\nname: web\nport: 8000\nreplicas: 0..1\nscaling: {metric: rps, target: 1, window: 30s, scale_up_delay: 0s, scale_down_delay: 5s}\nresources: {gpu: 0}\ncommands: ['exec ${app}']\n${PATIENT}`;
      await two.ok('apply', '-f', configuration(two, 'web.dstack.yml', service), '-y', '-d');
      const cron = `type: task\nname: cron\ncommands: [echo fired]\nschedule: {cron: "* * * * *"}\nresources: {gpu: 0}\n${PATIENT}`;
      await one.ok('apply', '-f', configuration(one, 'cron.dstack.yml', cron), '-y', '-d');
      const tries = sharedFile(two);
      writeFileSync(tries, '');
      const failsOnce = `echo try >> ${tries}; test $(wc -l < ${tries}) -gt 1`;
      await submit(two, 'retried', [failsOnce], 'retry: {on_events: [error], duration: 1h}\n');

      await untilRun(two, 'endless', isRunning);
      await untilAnswers(one, 'web');
      set(then);
      await untilAnswers(one, 'web');

      const limited = await untilRun(one, 'limited', isFinished);
      expect(limited.latest_job_submission.termination_reason).toBe('max_duration_exceeded');
      const [only] = await shown(one, 'limited');
      const took = Date.parse(only?.finished_at ?? '') - Date.parse(only?.submitted_at ?? '');
      expect(took).toBeGreaterThan(20 * SECOND_MS);
      expect(took).toBeLessThan(MOST_MS);

      expect(await untilRun(one, 'retried', isFinished)).toMatchObject({ status: 'done' });
      expect(readFileSync(tries, 'utf8').split('\n')).toHaveLength(3);

      const fired = await waitFor(
        () => shown(two, 'cron'),
        (all) => all.some(({ exit_status }) => exit_status === 0),
        () => two.ok('explain', 'cron', '-v'),
      );
      const firedAt = Date.parse(fired[0]?.submitted_at ?? '');
      expect(Math.abs(firedAt - Date.now())).toBeLessThan(MOST_MS);
      await two.ok('stop', 'cron', '-y');

      // No request comes for a while.
      await waitFor(
        () => shown(two, 'web'),
        (all) => all.every(({ status }) => FINISHED.includes(status)),
        () => two.ok('explain', 'web', '-v'),
      );
      await untilAnswers(one, 'web');
      await one.ok('stop', 'web', '-y');

      // All instances end but that of the run which goes on.
      await waitFor(
        () => one.api<Fleet>('/api/project/main/fleets/get', { name: 'default' }),
        ({ instances }) => instances.filter(({ status }) => status !== 'terminated').length === 1,
        (fleet) => JSON.stringify(fleet.instances.map(({ status }) => status)),
      );
      expect(await showRun(two, 'endless')).toMatchObject({ status: 'running' });
      expect((await showRun(two, 'endless')).jobs[0]?.job_submissions).toHaveLength(1);
    },
    300_000,
  );
});
