import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type Installation, postgresBinaries, startPostgres } from '@dstack/testkit';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  applyFleet,
  configuration,
  isFinished,
  isRunning,
  newInstallation,
  newServerBeside,
  type ShownRun,
  showRun,
  submit,
  untilRun,
} from './installation.ts';
import { waitFor } from './until.ts';
import { faketime, wrongClock } from './wrong-clock.ts';

const binaries = postgresBinaries();

/** A computer may have less room than all runs need at one time. */
const PATIENT = 'retry: {on_events: [no-capacity], duration: 30m}\n';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** The time that a busy computer may need for a step of a test. */
const SLACK_MS = 120_000;

interface Times {
  readonly submitted_at: string;
  readonly next_triggered_at: string | null;
}

const timesOf = (home: Installation, name: string) =>
  home.api<Times>('/api/project/main/runs/get', { run_name: name });

const msFrom = (time: string | null, ms: number) => Math.abs(Date.parse(time ?? '') - ms);

async function submitHourly(home: Installation, name: string): Promise<void> {
  const yaml = `type: task\nname: ${name}\ncommands: [echo fired]\nschedule: {cron: "0 * * * *"}\nresources: {gpu: 0}\n${PATIENT}`;
  const file = configuration(home, `${name}.dstack.yml`, yaml);
  await home.ok('apply', '-f', file, '-y', '-d');
}

/** Prints when it has notice. */
const LEAVING = [
  'echo here; until [ -s "$DSTACK_PREEMPTION_FILE" ]; do sleep 0.1; done',
  'echo noticed; exec sleep 600',
];

async function submitService(
  home: Installation,
  name: string,
  commands: readonly string[],
): Promise<void> {
  const yaml = `type: service\nname: ${name}\nport: 8000\ncommands: ${JSON.stringify(commands)}\nresources: {gpu: 0}\n${PATIENT}`;
  await home.ok('apply', '-f', configuration(home, `${name}.dstack.yml`, yaml), '-y', '-d');
}

async function maintenanceOf(home: Installation): Promise<string | undefined> {
  const fleet = await home.api<{ readonly maintenance?: { readonly state: string } }>(
    ...(['/api/project/main/fleets/get', { name: 'default' }] as const),
  );
  return fleet.maintenance?.state;
}

const untilOutput = (home: Installation, name: string, text: string, ...of: string[]) =>
  waitFor(
    () => home.ok('logs', name, ...of),
    (output) => output.includes(text),
    () => home.ok('explain', name, '-v'),
  );

let homes: Installation[] = [];
afterEach(async () => {
  for (const home of homes) await home.dispose();
  homes = [];
});

async function start(env: NodeJS.ProcessEnv): Promise<Installation> {
  const home = newInstallation(env);
  homes.push(home);
  await home.startServer();
  return home;
}

describe.skipIf(!faketime || binaries === null)('servers on PostgreSQL with wrong clocks', () => {
  it.each(['+1h', '-1h'])('share the time of the database (%s)', async (offset) => {
    const cluster = await startPostgres(binaries ?? '');
    onTestFinished(() => cluster.stop());
    const { url } = await cluster.createDatabase();
    const one = await start({ DSTACK_DATABASE_URL: url });
    const { env } = wrongClock(offset);
    const two = await newServerBeside(one, { DSTACK_DATABASE_URL: url, ...env });
    homes.push(two);
    await applyFleet(one, '0..8');
    const names = Array.from({ length: 8 }, (_, n) => `run-${n}`);
    for (const [n, name] of names.entries()) {
      const home = n % 2 === 0 ? one : two;
      await submit(home, name, ['sleep 3'], `max_duration: 600\n${PATIENT}`);
    }
    for (const name of names) {
      const run = await untilRun(one, name, isFinished);
      expect(run.latest_job_submission).toMatchObject({
        ...{ exit_status: 0, termination_reason_message: null },
      });
      expect(msFrom((await timesOf(two, name)).submitted_at, Date.now())).toBeLessThan(SLACK_MS);
    }
    const answer = await fetch(`${two.url}/api/server/status`, {
      headers: { authorization: `Bearer ${two.token()}` },
    });
    const { clock_lead_seconds: lead } = (await answer.json()) as { clock_lead_seconds: number };
    expect(Math.abs(lead - (offset === '+1h' ? 3600 : -3600))).toBeLessThan(5);
  });
});

describe.skipIf(!faketime)('a wrong clock', () => {
  it('leaves nothing in the shared memory of the computer, also of a program that is killed', async () => {
    const { env } = wrongClock('+2h');
    // The shell is replaced by the program, as the command of dstack is.
    const child = spawn('sh', ['-c', 'date +%s; exec sleep 60'], {
      env: { ...process.env, ...env },
    });
    const [printed] = await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(msFrom(new Date(Number(printed) * 1000).toISOString(), Date.now())).toBeGreaterThan(
      2 * HOUR_MS - SLACK_MS,
    );
    const own = readdirSync('/dev/shm').filter((name) => name.endsWith(`_${child.pid}`));
    expect(own).toEqual([]);
  });
});

describe.skipIf(!faketime)('a server on SQLite', () => {
  it('follows a step of its clock: a schedule fires, and no run ends by it', async () => {
    const { env, set } = wrongClock('+0');
    const home = await start(env);
    await applyFleet(home, '0..3');
    await submit(home, 'endless', ['while :; do sleep 0.1; done'], 'max_duration: 600\n');
    await untilRun(home, 'endless', isRunning);
    await submitHourly(home, 'hourly');
    expect((await showRun(home, 'hourly')).status).toBe('pending');
    set('+2h');
    await waitFor(
      () => showRun(home, 'hourly'),
      (run) => (run.jobs[0]?.job_submissions.length ?? 0) > 0,
      () => home.ok('explain', 'hourly', '-v'),
    );
    await submit(home, 'later', ['true'], PATIENT);
    expect(await untilRun(home, 'later', isFinished)).toMatchObject({ status: 'done' });
    const { submitted_at } = await timesOf(home, 'later');
    expect(msFrom(submitted_at, Date.now() + 2 * HOUR_MS)).toBeLessThan(SLACK_MS);
    expect((await showRun(home, 'endless')).status).toBe('running');
  });

  it('lets jobs leave before a window of maintenance, and begin again after it', async () => {
    const { env, set } = wrongClock('+0');
    const home = await start(env);
    const began = Math.ceil(Date.now() / MINUTE_MS) * MINUTE_MS + 3 * HOUR_MS;
    const setTo = (ms: number) => set(`+${Math.round((ms - Date.now()) / 1000)}s`);
    const schedule = new Date(began).toISOString().replace(/.*T(..):(..).*/, '$2 $1 * * *');
    await applyFleet(
      home,
      '0..2',
      `maintenance: {schedule: "${schedule}", duration: 1h, lead: 1h}\n`,
    );
    await submit(home, 'working', LEAVING);
    await submitService(home, 'serving', LEAVING);
    for (const name of ['working', 'serving']) await untilRun(home, name, isRunning);
    setTo(began - HOUR_MS + MINUTE_MS);
    await untilOutput(home, 'working', 'noticed');
    expect(await maintenanceOf(home)).toBe('leaving');
    expect((await showRun(home, 'working')).status).toBe('running');
    // What a task saves may take long. A service has nothing to save, and serves until a minute before.
    expect(await home.ok('logs', 'serving')).not.toContain('noticed');
    await home.ok('stop', 'working', '-y', '--abort');
    // Its notice ends with Ctrl-C half a minute before the window.
    setTo(began - 33_000);
    const waits = ({ status_message }: ShownRun) => status_message === 'maintenance';
    const left = await untilRun(home, 'serving', waits);
    expect(left.jobs[0]?.job_submissions[0]).toMatchObject({
      termination_reason: 'interrupted_by_no_capacity',
    });
    setTo(began + MINUTE_MS);
    await waitFor(
      () => maintenanceOf(home),
      (state) => state === 'on',
      () => home.ok('explain', 'serving', '-v'),
    );
    expect(await showRun(home, 'serving')).toMatchObject({ status_message: 'maintenance' });
    setTo(began + HOUR_MS + MINUTE_MS);
    await untilRun(home, 'serving', ({ status }) => status === 'running');
    // The replica that was to take over before the window has waited for its end.
    await untilOutput(home, 'serving', 'here', '--replica', '1');
  });

  it('started again with the right time computes its schedules anew', async () => {
    const { env, set } = wrongClock('+5h');
    const home = await start(env);
    await submitHourly(home, 'hourly');
    const { next_triggered_at: wrong } = await timesOf(home, 'hourly');
    expect(msFrom(wrong, Date.now() + 5.5 * HOUR_MS)).toBeLessThan(HOUR_MS);
    await home.stopServer();
    set('+0');
    await home.startServer();
    await waitFor(
      () => timesOf(home, 'hourly'),
      ({ next_triggered_at: next }) => Date.parse(next ?? '') <= Date.now() + HOUR_MS,
      () => home.ok('explain', 'hourly', '-v'),
    );
  });
});
