import { type PostgresCluster, postgresBinaries, startPostgres } from '@dstack/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { age, withSqlite } from './aged-database.ts';
import { configuration, isFinished, isRunning, showRun, submit, untilRun } from './installation.ts';
import { applyCloudFleet, newSimCloud, type SimCloud, waitsFor } from './sim-cloud.ts';
import { waitFor } from './until.ts';

const binaries = postgresBinaries();
if (!binaries) console.warn('Outages on PostgreSQL are NOT tested: PostgreSQL is not installed');

/** Longer than every deadline by which a machine, a host or an agent has to answer. */
const HOURS = 6;

let cluster: PostgresCluster | null = null;
let cloud: SimCloud | null = null;
beforeAll(async () => {
  if (binaries !== null) cluster = await startPostgres(binaries);
});
afterAll(() => cluster?.stop());
afterEach(() => cloud?.home.dispose());

interface Scheduled {
  readonly next_triggered_at: string | null;
}

/** All servers were killed, and one starts again after hours. */
async function outage({ home }: SimCloud, database: string | null): Promise<void> {
  await home.stopServer('SIGKILL');
  if (database === null) await withSqlite(home, (query) => age(query, HOURS, 'sqlite'));
  else if (cluster !== null) {
    const { query } = cluster;
    await age((sql) => query(sql, database), HOURS, 'postgres');
  }
  await home.startServer();
}

async function submitHourly({ home }: SimCloud, name: string): Promise<void> {
  const yaml = `type: task\nname: ${name}\ncommands: [echo fired]\nschedule: {cron: "0 * * * *"}\nresources: {gpu: 0}\n`;
  const file = configuration(home, `${name}.dstack.yml`, yaml);
  await home.ok('apply', '-f', file, '-y', '-d');
}

describe.each(binaries === null ? ['SQLite'] : ['SQLite', 'PostgreSQL'])(
  'a server on %s that comes back after hours',
  (kind) => {
    it('gives up nothing that could not report, and makes up for one missed schedule', async () => {
      const made = kind === 'SQLite' ? null : ((await cluster?.createDatabase()) ?? null);
      cloud = newSimCloud([], made === null ? {} : { DSTACK_DATABASE_URL: made.url });
      const { home, control } = cloud;
      await home.startServer();
      await applyCloudFleet(home, ['nodes: 0..4', 'idle_duration: 72h']);
      const works = waitsFor(home, 'works');
      await submit(home, 'works', works.commands, 'max_duration: 3600\n');
      await untilRun(home, 'works', isRunning);
      control.set({ hold: 'boot' });
      await submit(home, 'boots', ['echo up']);
      await untilRun(home, 'boots', ({ latest_job_submission: latest }) =>
        latest.status_message.includes('booting'),
      );
      await submitHourly(cloud, 'hourly');

      await outage(cloud, made?.name ?? null);

      control.set({});
      expect((await untilRun(home, 'boots', isFinished)).status).toBe('done');
      const fired = await waitFor(
        () => showRun(home, 'hourly'),
        (run) => run.jobs[0]?.job_submissions.at(-1)?.exit_status === 0,
        () => home.ok('explain', 'hourly', '-v'),
      );
      expect(fired.jobs[0]?.job_submissions).toHaveLength(1);
      const { next_triggered_at: next } = await home.api<Scheduled>('/api/project/main/runs/get', {
        run_name: 'hourly',
      });
      expect(Date.parse(next ?? '')).toBeGreaterThan(Date.now());
      const still = await showRun(home, 'works');
      expect([still.status, still.jobs[0]?.job_submissions.length]).toEqual(['running', 1]);
      works.end();
      expect((await untilRun(home, 'works', isFinished)).status).toBe('done');
    });
  },
);
