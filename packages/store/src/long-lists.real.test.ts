/** Lists beside a year of ended runs: what they read follows from what they show, not from what is stored. */
import { beforeAll, expect, it } from 'vitest';
import type { Store } from './store.ts';
import { insertRun } from './testing/insert.ts';
import { rawSql } from './testing/raw-sql.ts';
import { projectRecord, userRecord } from './testing/records.ts';
import { slowParts } from './testing/rows-read.ts';
import { forEachStore, openWorld, type StoreTests, type World } from './testing/stores.ts';

const ENDED = 60_000;
/** The limit of rows read for a page of a hundred, with the jobs and targets of its runs and events. */
const MOST = 2000;

interface LongWorld extends World {
  readonly small: string;
  readonly bobId: string;
  readonly runId: string;
}

/** Copies of one ended run, its job and an event about both; a few active runs, and a small project. */
async function longWorld(tests: StoreTests): Promise<LongWorld> {
  const world = await openWorld(tests);
  const { store, url, projectId } = world;
  const bob = userRecord({ name: 'bob' });
  await store.users.insert(bob);
  const small = projectRecord(bob.id, { name: 'small' });
  await store.projects.insert(small);
  const ended = { status: 'done', submittedAt: 1000, lastProcessedAt: 2000 } as const;
  const job = { status: 'done', submittedAt: 1000, finishedAt: 2000 } as const;
  const { run } = await insertRun(world, { name: 'ended', ...ended }, [job]);
  await store.events.write([
    {
      ...{ action: 'legacy', data: { text: 'Run ended' }, outcome: 'done', actor: null },
      targets: [{ type: 'run', id: run.id, name: 'ended', projectId, parentId: null }],
    },
  ]);
  await store.close();
  await multiply(url);
  const again = await tests.open({ url });
  const grown = { ...world, store: again };
  for (const name of ['a', 'b', 'c']) await insertRun(grown, { name, submittedAt: 9 });
  for (const name of ['x', 'y']) {
    const of = { projectId: small.id, userId: bob.id };
    await insertRun(grown, { name, submittedAt: 3, status: 'failed', ...of }, [of]);
  }
  await again.close();
  if (tests.dialect === 'postgres') await rawSql(url, 'analyze');
  return { ...world, small: small.id, bobId: bob.id, runId: run.id };
}

async function multiply(url: string): Promise<void> {
  const series = `(with recursive s(n) as (select 1 union all select n + 1 from s where n < ${ENDED})
    select n from s) s`;
  const copies: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    runs: {
      ...{ id: "'run-' || s.n", name: "'ended-' || s.n", submitted_at: 's.n * 1000' },
      status: "case when s.n % 5 = 0 then 'failed' else 'done' end",
      last_processed_at: 's.n * 1000 + 500',
    },
    jobs: {
      ...{ id: "'job-' || s.n", run_id: "'run-' || s.n", submitted_at: 's.n * 1000' },
      finished_at: 's.n * 1000 + 500',
    },
    events: { id: "'event-' || s.n", recorded_at: 's.n * 1000' },
    event_targets: {
      ...{ event_id: "'event-' || s.n", target_id: "'run-' || s.n", recorded_at: 's.n * 1000' },
    },
  };
  const first: Readonly<Record<string, string>> = {
    ...{ runs: "t.name = 'ended'", jobs: '1 = 1', events: '1 = 1', event_targets: '1 = 1' },
  };
  for (const [table, set] of Object.entries(copies)) {
    const [row] = await rawSql(url, `select * from ${table} limit 1`);
    const columns = Object.keys(row ?? {});
    const values = columns.map((name) => set[name] ?? `t."${name}"`);
    await rawSql(
      url,
      `insert into ${table} (${columns.map((name) => `"${name}"`).join(', ')})
        select ${values.join(', ')} from (select * from ${table} t where ${first[table]} limit 1) t
        cross join ${series}`,
    );
  }
}

forEachStore((tests) => {
  let world: LongWorld;
  beforeAll(async () => {
    world = await longWorld(tests);
  }, 120_000);

  const page = { limit: 100 };
  const questions: [string, (store: Store, of: LongWorld) => Promise<unknown>][] = [
    ['the newest runs of all projects', (s) => s.runs.list({ projectIds: null, page })],
    [
      'the newest runs of a project',
      (s, w) => s.runs.list({ projectIds: [w.projectId], page, includeJobs: true }),
    ],
    [
      'a later page of a project',
      (s, w) =>
        s.runs.list({ projectIds: [w.projectId], page: { ...page, after: { at: 900_000 } } }),
    ],
    ['the runs of a small project', (s, w) => s.runs.list({ projectIds: [w.small], page })],
    [
      'the runs of two projects, one of them small',
      (s, w) => s.runs.list({ projectIds: [w.small, w.projectId], page }),
    ],
    [
      'the runs of a user with few of them',
      (s, w) => s.runs.list({ projectIds: null, userId: w.bobId, page }),
    ],
    [
      'the failed runs of a project',
      (s, w) => s.runs.list({ projectIds: [w.projectId], onlyFailed: true, page }),
    ],
    ['the failed runs of all', (s) => s.runs.list({ projectIds: null, onlyFailed: true, page })],
    [
      'the failed runs of two projects',
      (s, w) => s.runs.list({ projectIds: [w.small, w.projectId], onlyFailed: true, page }),
    ],
    [
      'a later page of two projects',
      (s, w) =>
        s.runs.list({
          projectIds: [w.small, w.projectId],
          page: { ...page, after: { at: 900_000, id: 'run-900' }, ascending: true },
        }),
    ],
    ['the number of active runs', (s) => s.runs.activeCounts(null)],
    ['a run by its name', (s, w) => s.runs.byName(w.projectId, 'ended-77')],
    ['the newest events of all', (s) => s.events.list({ visibleTo: null, page })],
    [
      'the events that a member of a small project sees',
      (s, w) => s.events.list({ visibleTo: { userId: w.bobId, projectIds: [w.small] }, page }),
    ],
    [
      'the events of a run',
      (s, w) => s.events.list({ visibleTo: null, within: { kind: 'run', ids: [w.runId] }, page }),
    ],
    ['when a project was last used', (s, w) => s.runs.lastSubmittedAt(w.projectId)],
  ];

  it.each(questions)('reads no more than it shows for %s', async (_what, ask) => {
    expect(await slowParts(tests, world.url, (store) => ask(store, world), MOST)).toEqual([]);
  });
});
