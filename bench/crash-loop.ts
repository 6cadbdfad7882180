/** Growth of the database by runs that fail repeatedly or find no capacity. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { usage } from './at-rest.ts';
import { installation } from './installation.ts';
import { print } from './measure.ts';
import { applyFleet, submit } from './runs.ts';

const MINUTES = '10';
const SLOTS = 5;

const always = { on_events: ['no-capacity', 'error', 'interruption'], duration: '1d' };
/** The first replica serves, every other one ends at once. */
const fails = '[ "$DSTACK_REPLICA_NUM" = 0 ] || exit 7; exec sleep 86400';

const service = { type: 'service', port: 8000, replicas: 2 };
const LOOPS: Readonly<Record<string, Record<string, unknown>>> = {
  // Room for one of two replicas.
  crowded: { ...service, fleets: ['narrow'], commands: ['exec sleep 86400'] },
  'half-alive': { ...service, commands: [fails] },
  task: { commands: ['exit 7'] },
};

interface Shown {
  readonly jobs: readonly { readonly job_submissions: readonly object[] }[];
}

/** `minutes`: duration of the loops. */
export async function crashLoop(minutes = MINUTES): Promise<void> {
  const home = installation({ DSTACK_LOCAL_MAX_INSTANCES: String(SLOTS) });
  const bytes = () => sizeOf(join(home.serverDir, 'data', 'dstack.db'));
  try {
    await home.startServer();
    await applyFleet(home, `0..${SLOTS - 1}`);
    await applyFleet(home, '0..1', 'narrow');
    const before = bytes();
    for (const [name, more] of Object.entries(LOOPS)) {
      await submit(home, name, { retry: always, ...more });
    }
    const { cpuMs } = usage(home.serverPid);
    await delay(Number(minutes) * 60_000);
    const perMinute = Math.round((usage(home.serverPid).cpuMs - cpuMs) / Number(minutes));
    const kept: Record<string, number> = {};
    for (const run_name of Object.keys(LOOPS)) {
      const run = await home.api<Shown>('/api/project/main/runs/get', { run_name });
      kept[run_name] = run.jobs.flatMap((job) => job.job_submissions).length;
    }
    print({
      name: `${Object.keys(LOOPS).length} crash loops for ${minutes} minutes: database`,
      unit: 'kB',
      value: Math.round((bytes() - before) / 1024),
      'CPU ms/min': perMinute,
      ...kept,
    });
  } finally {
    await home.dispose();
  }
}

/** Bytes of its pages, in the file or in the write-ahead log. */
function sizeOf(path: string): number {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const pages = 'select page_count * page_size as bytes from pragma_page_count, pragma_page_size';
    return Number(database.prepare(pages).get()?.bytes);
  } finally {
    database.close();
  }
}
