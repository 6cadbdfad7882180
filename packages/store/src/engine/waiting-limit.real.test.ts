import { expect, it } from 'vitest';
import type { Store } from '../store.ts';
import { insertRun } from '../testing/insert.ts';
import { rawSql } from '../testing/raw-sql.ts';
import { newEvent, projectRecord, runRecord, userRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';

const MOST = 5;

function submit(world: World, store: Store, name: string, part: object = {}) {
  const { projectId, userId } = world;
  const run = runRecord({ projectId, userId, name, ...part });
  return store.engine.submitRun({
    ...{ projectId: run.projectId, name: { exact: name }, superseded: () => newEvent('') },
    limit: { userId: run.userId, most: MOST },
    build: () => ({ run, jobs: [] }),
  });
}

forEachStore((tests) => {
  it('runs that wait are limited per user, and others do not count', async () => {
    const world = await openWorld(tests);
    const other = userRecord({ name: 'bob' });
    await world.store.users.insert(other);
    for (const status of ['running', 'terminating', 'done', 'failed', 'terminated'] as const) {
      for (let n = 0; n < 2; n++) await insertRun(world, { name: `${status}-${n}`, status });
    }
    for (const [n, status] of ['pending', 'submitted', 'provisioning', 'pending'].entries()) {
      await insertRun(world, { name: `waits-${n}`, status: status as 'pending' });
    }
    expect(await submit(world, world.store, 'last')).toMatchObject({ type: 'submitted' });
    expect(await submit(world, world.store, 'more')).toEqual({
      ...{ type: 'too-many-waiting', waiting: 5 },
    });
    expect(await submit(world, world.store, 'of-bob', { userId: other.id })).toMatchObject({
      type: 'submitted',
    });
  });

  it('servers that submit at once in several projects do not exceed the limit together', async () => {
    const url = await tests.createDatabase();
    const world = await openWorld(tests, { url });
    const stores =
      tests.dialect === 'sqlite' ? [world.store] : [world.store, await tests.open({ url })];
    const lab = projectRecord(world.userId, { name: 'lab' });
    await world.store.projects.insert(lab);
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) => {
        const projectId = n % 3 === 0 ? lab.id : world.projectId;
        return submit(world, stores[n % stores.length] ?? world.store, `run-${n}`, { projectId });
      }),
    );
    const submitted = outcomes.filter(({ type }) => type === 'submitted');
    expect(submitted).toHaveLength(MOST);
  });

  if (tests.dialect !== 'sqlite') return;

  it('the count reads an index alone', async () => {
    const statements: string[] = [];
    const world = await openWorld(tests, { onStatement: (sql: string) => statements.push(sql) });
    await submit(world, world.store, 'one');
    const counts = statements.filter((sql) => /count\(\*\) as "waiting"/.test(sql));
    const plans = await Promise.all(
      counts.map((sql) => rawSql(world.url, `explain query plan ${sql}`)),
    );
    expect(plans.flat().map(({ detail }) => detail)).toEqual([
      expect.stringMatching(
        /SEARCH r USING COVERING INDEX \S+ \(user_id=\? AND status=\?( AND array_id=\?)?\)/,
      ),
    ]);
  });
});
