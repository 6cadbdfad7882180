import type { RunRecord } from '@dstack/core';
import { expect, it } from 'vitest';
import { insertRun } from '../testing/insert.ts';
import { newEvent, runRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';

const MEMORY = { overQuota: new Map<string, string>() };

async function submitDependent(world: World, name: string, upstream: string): Promise<RunRecord> {
  const { projectId, userId } = world;
  const part = { status: 'pending', dependencyState: 'open', nextPassAt: null } as const;
  const run = runRecord({ projectId, userId, name, ...part });
  await world.store.engine.submitRun({
    ...{ projectId, name: { exact: name }, superseded: () => newEvent('') },
    upstreams: [upstream],
    build: (_name, upstreams) => {
      const found = upstreams.get(upstream);
      if (!found) throw new Error(`no run ${upstream}`);
      const isOver = found.status === 'done';
      const one = { upstreamId: found.id, name: upstream, on: 'end', keep: true } as const;
      return { run, jobs: [], dependencies: [{ ...one, outcome: isOver ? 'success' : null }] };
    },
  });
  return run;
}

const end = (world: World, { id }: RunRecord, version: number) =>
  world.store.engine.apply(
    [
      { type: 'run.update', id, version, set: { status: 'done', nextPassAt: null } },
      { type: 'run.outcome', id, outcome: 'success' },
    ],
    [],
  );

forEachStore((tests) => {
  it('the end of a run sets alarm and outcome of those that wait for it, with its own change', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { run: first } = await insertRun(world, { name: 'first', status: 'running' });
    const waiting = await submitDependent(world, 'waiting', 'first');
    const signalled: string[] = [];
    const off = engine.onSignal(({ id }) => signalled.push(id));
    // A change that is refused has no effect on them.
    expect(await end(world, first, first.version + 7)).toBe('conflict');
    expect((await engine.loadRun(waiting.id, MEMORY))?.dependencies).toMatchObject([
      { name: 'first', on: 'end', keep: true, outcome: null },
    ]);
    expect(await engine.unfinished()).not.toContainEqual({ kind: 'run', id: waiting.id });
    expect(await end(world, first, first.version)).toBe('applied');
    const loaded = await engine.loadRun(waiting.id, MEMORY);
    expect(loaded?.dependencies).toMatchObject([{ outcome: 'success' }]);
    expect(loaded?.run.nextPassAt).not.toBeNull();
    // A pass that read the run before is refused.
    expect(loaded?.run.version).toBe(waiting.version + 1);
    expect(await engine.unfinished()).toContainEqual({ kind: 'run', id: waiting.id });
    await expect.poll(() => signalled).toContain(waiting.id);
    off();
  });

  it('the end of a run by an older server is found by the sweep', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { run: first } = await insertRun(world, { name: 'first', status: 'running' });
    const waiting = await submitDependent(world, 'waiting', 'first');
    const { id, version } = first;
    await engine.apply([{ type: 'run.update', id, version, set: { status: 'failed' } }]);
    expect(await engine.unfinished()).toContainEqual({ kind: 'run', id: waiting.id });
    expect((await engine.loadRun(waiting.id, MEMORY))?.dependencies).toMatchObject([
      { outcome: 'failure' },
    ]);
  });

  it.each(['end', 'sweep'] as const)(
    'a run that waits with `keep` for another one has an alarm too, after the %s',
    async (how) => {
      const world = await openWorld(tests);
      const { engine } = world.store;
      const { run: first } = await insertRun(world, { name: 'first', status: 'running' });
      const waiting = await submitDependent(world, 'waiting', 'first');
      const { id, version } = waiting;
      const set = { dependencyState: 'unmet', nextPassAt: null } as const;
      expect(await engine.apply([{ type: 'run.update', id, version, set }])).toBe('applied');
      expect(await engine.unfinished()).not.toContainEqual({ kind: 'run', id });
      if (how === 'end') await end(world, first, first.version);
      else {
        const ended = { type: 'run.update', id: first.id, version: first.version } as const;
        await engine.apply([{ ...ended, set: { status: 'done' } }]);
      }
      expect(await engine.unfinished()).toContainEqual({ kind: 'run', id });
    },
  );

  it('a run that ends while another one is submitted that depends on it is not missed', async () => {
    const url = await tests.createDatabase();
    const world = await openWorld(tests, { url });
    const other =
      tests.dialect === 'sqlite' ? world : { ...world, store: await tests.open({ url }) };
    for (let n = 0; n < 10; n++) {
      const { run: first } = await insertRun(world, { name: `first-${n}`, status: 'running' });
      const [waiting] = await Promise.all([
        submitDependent(other, `waiting-${n}`, first.name),
        end(world, first, first.version),
      ]);
      const loaded = await world.store.engine.loadRun(waiting.id, MEMORY);
      expect(loaded?.dependencies).toMatchObject([{ outcome: 'success' }]);
    }
  });

  it('what a run waited for may be deleted before it', async () => {
    const world = await openWorld(tests);
    const { run: first } = await insertRun(world, { name: 'first', status: 'running' });
    const waiting = await submitDependent(world, 'waiting', 'first');
    await end(world, first, first.version);
    const ended = { id: first.id, jobIds: [], isWhole: true, logs: [] };
    await world.store.retention.deleteRuns([ended], Number.MAX_SAFE_INTEGER);
    expect(await world.store.runs.byId(first.id)).toBeNull();
    expect(await world.store.runs.dependencies(waiting.id)).toMatchObject([{ outcome: 'success' }]);
  });
});
