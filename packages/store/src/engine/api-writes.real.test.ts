import { type RunRecord, stopRun } from '@dstack/core';
import { expect, it } from 'vitest';
import type { NameChoice } from '../base/writes.ts';
import {
  actor,
  fleetRecord,
  instanceRecord,
  jobRecord,
  NO_MEMORY,
  newEvent,
  runRecord,
  runTarget,
} from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';

function submit({ store, projectId, userId }: World, name: NameChoice, part = {}) {
  return store.engine.submitRun({
    projectId,
    name,
    build: (chosen) => {
      const run = runRecord({ projectId, userId, name: chosen, ...part });
      return {
        run,
        jobs: [jobRecord({ projectId, runId: run.id, name: `${chosen}-0-0` })],
        events: [newEvent('Run submitted. Status: SUBMITTED', runTarget(run))],
        signals: [{ kind: 'run', id: run.id }],
      };
    },
    superseded: (run) => newEvent('Run deleted', runTarget(run)),
  });
}

async function submittedRun(world: World, name: NameChoice, part = {}): Promise<RunRecord> {
  const outcome = await submit(world, name, part);
  if (outcome.type !== 'submitted') throw new Error(outcome.type);
  return outcome.run;
}

/** Stops runs in the same way as the API. */
function stop(world: World, names: readonly string[], abort = false) {
  return world.store.engine.updateUnfinishedRuns(world.projectId, names, ({ run }) =>
    stopRun(run, { abort, actor: actor(world.userId), now: 7 }),
  );
}

const messages = async ({ store }: World) =>
  (await store.events.list({ visibleTo: null, page: { ascending: true } })).map((e) => e.message);

forEachStore((tests) => {
  it('inserts run, jobs and event together and wakes the loops', async () => {
    const world = await openWorld(tests);
    const heard: string[] = [];
    world.store.engine.onSignal((signal) => heard.push(signal.id));
    const run = await submittedRun(world, { exact: 'train' });
    const view = await world.store.runs.byName(world.projectId, 'train');
    expect(view?.run).toEqual(run);
    expect(view?.jobs.map((job) => job.name)).toEqual(['train-0-0']);
    expect([view?.projectName, view?.userName, view?.fleet]).toEqual(['main', 'alice', null]);
    expect(heard).toEqual([run.id]);
    expect(await messages(world)).toEqual(['Run submitted. Status: SUBMITTED']);
  });

  it('leaves room for other work between two of many runs that are stopped', async () => {
    const world = await openWorld(tests);
    const names = Array.from({ length: 20 }, (_, n) => `run-${n}`);
    for (const name of names) await submittedRun(world, { exact: name });
    let turns = 0;
    let isOver = false;
    const turn = () => {
      turns += 1;
      if (!isOver) setImmediate(turn);
    };
    turn();
    expect(await stop(world, names)).toHaveLength(20);
    isOver = true;
    expect(turns).toBeGreaterThan(20);
  });

  it('takes runs and fleets of more jobs and instances than one statement can hold', async () => {
    const world = await openWorld(tests);
    const { store, projectId, userId } = world;
    const run = runRecord({ projectId, userId, name: 'wide' });
    const jobs = Array.from({ length: 1500 }, (_, num) =>
      jobRecord({ projectId, runId: run.id, jobNum: num, name: `wide-${num}-0` }),
    );
    const events = jobs.map((job) => newEvent(`Job ${job.name} created`, runTarget(run)));
    await store.engine.submitRun({
      projectId,
      name: { exact: 'wide' },
      build: () => ({ run, jobs, events, signals: [] }),
      superseded: () => newEvent('Run deleted', runTarget(run)),
    });
    expect((await store.runs.byName(projectId, 'wide'))?.jobs).toHaveLength(1500);
    const fleet = fleetRecord({ projectId, name: 'wide' });
    const instances = Array.from({ length: 1500 }, (_, num) =>
      instanceRecord({ projectId, fleetId: fleet.id, instanceNum: num, name: `wide-${num}` }),
    );
    await store.engine.createFleet({
      projectId,
      name: { exact: 'wide' },
      build: () => ({ fleet, instances, events: [], signals: [] }),
    });
    expect((await store.fleets.byId(fleet.id))?.instances).toHaveLength(1500);
  });

  it('refuses the name of a run that is not finished', async () => {
    const world = await openWorld(tests);
    const run = await submittedRun(world, { exact: 'train' });
    expect(await submit(world, { exact: 'train' })).toEqual({ type: 'name-taken', active: run });
  });

  it('marks a finished namesake deleted, with an event before the new one', async () => {
    const world = await openWorld(tests);
    const old = await submittedRun(world, { exact: 'train' }, { status: 'done' });
    const run = await submittedRun(world, { exact: 'train' });
    expect((await world.store.runs.byId(old.id))?.run).toMatchObject({ deleted: true, version: 1 });
    expect((await world.store.runs.byName(world.projectId, 'train'))?.run.id).toBe(run.id);
    expect((await messages(world)).slice(1)).toEqual([
      'Run deleted',
      'Run submitted. Status: SUBMITTED',
    ]);
  });

  it('gives an unnamed run the lowest free number', async () => {
    const world = await openWorld(tests);
    const name = async (base: string) => (await submittedRun(world, { base })).name;
    expect(await name('calm-fox')).toBe('calm-fox-1');
    expect(await name('calm-fox')).toBe('calm-fox-2');
    expect(await name('calm-foxes')).toBe('calm-foxes-1');
    await submittedRun(world, { exact: 'calm-fox-4' });
    expect(await name('calm-fox')).toBe('calm-fox-3');
    expect(await name('calm-fox')).toBe('calm-fox-5');
  });

  it('gives every one of many runs submitted at once a name of its own', async () => {
    const world = await openWorld(tests);
    const names = await Promise.all(
      Array.from({ length: 20 }, async () => (await submittedRun(world, { base: 'big-cat' })).name),
    );
    const expected = Array.from({ length: 20 }, (_, i) => `big-cat-${i + 1}`);
    expect(names.toSorted()).toEqual(expected.toSorted());
  });

  it('accepts exactly one of many submissions of the same name', async () => {
    const world = await openWorld(tests);
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, () => submit(world, { exact: 'train' })),
    );
    expect(outcomes.filter((outcome) => outcome.type === 'submitted')).toHaveLength(1);
  });

  it('takes the first fleet name that is free and refuses a taken one', async () => {
    const world = await openWorld(tests);
    const { projectId } = world;
    const create = (name: NameChoice) =>
      world.store.engine.createFleet({
        projectId,
        name,
        build: (chosen) => {
          const fleet = fleetRecord({ projectId, name: chosen });
          return { fleet, instances: [instanceRecord({ projectId, fleetId: fleet.id })] };
        },
      });
    expect(await create({ exact: 'fast-owl' })).toMatchObject({ type: 'created' });
    expect(await create({ exact: 'fast-owl' })).toEqual({ type: 'name-taken' });
    const proposals = ['fast-owl', 'slow-owl'];
    const propose = () => proposals.shift() ?? 'never';
    expect(await create({ propose })).toMatchObject({ fleet: { name: 'slow-owl' } });
    expect(await world.store.engine.freeName('fleet', projectId, { exact: 'slow-owl' })).toBeNull();
  });

  it('stops runs by name at once, even during a pass', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const run = await submittedRun(world, { exact: 'train' }, { status: 'running' });
    await submittedRun(world, { exact: 'over' }, { status: 'done' });
    await engine.claim('run', run.id, 'a pass', 9_000_000);
    const heard: string[] = [];
    engine.onSignal((signal) => heard.push(signal.id));
    expect(await stop(world, ['train', 'over', 'unknown'])).toEqual([run.id]);
    expect(heard).toEqual([run.id]);
    expect((await engine.loadRun(run.id, NO_MEMORY))?.run).toMatchObject({
      status: 'terminating',
      terminationReason: 'stopped_by_user',
      version: 1,
    });
    const [event] = await world.store.events.list({ visibleTo: null });
    expect(event?.message).toBe(
      'Run status changed RUNNING -> TERMINATING. Termination reason: STOPPED_BY_USER',
    );
    expect(event?.actor).toMatchObject({ id: world.userId, name: 'alice', deleted: false });
  });

  it('lets an abort overtake a stop, and no stop an abort', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const run = await submittedRun(world, { exact: 'train' });
    const reason = async () => (await engine.loadRun(run.id, NO_MEMORY))?.run.terminationReason;
    await stop(world, ['train']);
    await stop(world, ['train'], true);
    expect(await reason()).toBe('aborted_by_user');
    await stop(world, ['train']);
    expect(await reason()).toBe('aborted_by_user');
    expect(await messages(world)).toHaveLength(2);
  });

  it('makes the result of a pass that a stop overtook stale', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const run = await submittedRun(world, { exact: 'train' });
    const before = await engine.loadRun(run.id, NO_MEMORY);
    await stop(world, ['train'], true);
    const outcome = await engine.apply([
      {
        type: 'run.update',
        id: run.id,
        version: before!.run.version,
        set: { status: 'running' },
      },
    ]);
    expect(outcome).toBe('conflict');
    expect((await engine.loadRun(run.id, NO_MEMORY))?.run.status).toBe('terminating');
  });

  it('loses none of many concurrent updates', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const run = await submittedRun(world, { exact: 'train' });
    await Promise.all(
      Array.from({ length: 25 }, () =>
        engine.updateRun(run.id, (snapshot) => ({
          changes: [
            {
              type: 'run.update',
              id: run.id,
              version: snapshot.run.version,
              set: { deploymentNum: snapshot.run.deploymentNum + 1 },
            },
          ],
        })),
      ),
    );
    expect((await engine.loadRun(run.id, NO_MEMORY))?.run).toMatchObject({
      deploymentNum: 25,
      version: 25,
    });
    expect(await engine.updateRun('absent', () => null)).toBeNull();
  });

  it('deletes finished runs, and none while one of them is active', async () => {
    const world = await openWorld(tests);
    const { runs } = world.store;
    await submittedRun(world, { exact: 'one' }, { status: 'done' });
    await submittedRun(world, { exact: 'two' });
    const remove = (names: string[]) =>
      runs.delete(world.projectId, names, (run) => newEvent('Run deleted', runTarget(run)));
    expect(await remove(['one', 'two'])).toEqual({ type: 'active', names: ['two'] });
    expect(await runs.byName(world.projectId, 'one')).not.toBeNull();
    expect(await remove(['one', 'unknown'])).toMatchObject({ type: 'deleted' });
    expect(await runs.byName(world.projectId, 'one')).toBeNull();
    expect((await messages(world)).at(-1)).toBe('Run deleted');
  });
});
