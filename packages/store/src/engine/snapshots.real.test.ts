import type { JobRecord } from '@dstack/core';
import { expect, it } from 'vitest';
import { insertFleet, insertRun } from '../testing/insert.ts';
import { waitingWork } from '../testing/pools.ts';
import { instanceRecord, intentRecord, NO_MEMORY, projectRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';

const state = (id: string, seq: number) =>
  ({ id, seq, phase: 'running', log_end: 3 }) as Parameters<
    World['store']['reports']['saveState']
  >[1];

forEachStore((tests) => {
  it('reads a run with its hosts, reports, log ends and intents', async () => {
    const world = await openWorld(tests);
    const { engine, hosts, reports } = world.store;
    const { instance } = await insertFleet(world, 'fleet');
    const { run, jobs } = await insertRun(world, {}, [{ status: 'running' }]);
    const [job] = jobs;
    await engine.apply([
      { type: 'job.update', id: job!.id, version: 0, set: { instanceId: instance.id } },
      { type: 'intent.insert', intent: intentRecord(job!.id) },
      {
        type: 'intent.insert',
        intent: intentRecord(instance.id, {
          key: 'instance.terminate:1',
          kind: 'instance.terminate',
          payload: { kind: 'instance.terminate' },
        }),
      },
    ]);
    const host = {
      ...{ id: 'host-fleet', connected: true, since: 5, facts: null },
      ...{ executor: 'docker' as const, error: null, failed: false },
    };
    await hosts.save(host);
    await reports.saveState('host-fleet', state(job!.id, 1), 7);
    await reports.saveLogEnd(job!.id, 12);
    const snapshot = await engine.loadRun(run.id, NO_MEMORY);
    expect(snapshot?.hosts).toEqual([host]);
    expect(snapshot?.reports).toEqual([
      { jobId: job!.id, hostId: 'host-fleet', state: state(job!.id, 1), receivedAt: 7, pull: null },
    ]);
    expect(snapshot?.logEnds).toEqual({ [job!.id]: 12 });
    expect(snapshot?.intents.map((intent) => intent.kind)).toEqual([
      'instance.terminate',
      'job.start',
    ]);
  });

  it('omits old submissions, except the last one that had a machine', async () => {
    const world = await openWorld(tests);
    const submissions = Array.from({ length: 27 }, (_, submissionNum) => ({
      submissionNum,
      status: 'failed' as const,
      provisionedAt: submissionNum === 2 || submissionNum === 1 ? 9 : null,
    }));
    const { run } = await insertRun(world, {}, submissions);
    const snapshot = await world.store.engine.loadRun(run.id, NO_MEMORY);
    const newest = Array.from({ length: 22 }, (_, i) => 5 + i);
    expect(snapshot?.jobs.map((job) => job.submissionNum)).toEqual([2, ...newest]);
  });

  it('gives GPU samples of running jobs with a utilisation policy, oldest first', async () => {
    const now = 10_000_000_000;
    const world = await openWorld(tests, { now: () => now });
    const spec = { utilization_policy: { min_gpu_utilization: 10, time_window: 300 } };
    const part = { status: 'running', spec: spec as JobRecord['spec'] } as const;
    const { run, jobs } = await insertRun(world, {}, [part, { jobNum: 1, status: 'running' }]);
    const point = (at: number, jobId: string) => ({
      jobId,
      metrics: {
        ...{ timestamp_micro: at, cpu_usage_micro: 1, memory_usage_bytes: 1 },
        ...{ memory_working_set_bytes: 1, gpus: [{ memory_usage_bytes: 1, util_percent: 5 }] },
      },
    });
    await world.store.metrics.addJobPoints([
      ...jobs.map((job) => point(now, job.id)),
      point(now - 300_000_000, jobs[0]!.id),
      point(now - 900_000_000, jobs[0]!.id),
    ]);
    const snapshot = await world.store.engine.loadRun(run.id, NO_MEMORY);
    expect(snapshot?.gpuSamples).toEqual({
      [jobs[0]!.id]: [
        { at: now - 300_000_000, utilization: [5] },
        { at: now, utilization: [5] },
      ],
    });
  });

  it('has the facts about the run’s jobs that only the memory of a server holds', async () => {
    const world = await openWorld(tests);
    const { run, jobs } = await insertRun(world, {}, [{}, { jobNum: 1 }]);
    const overQuota = new Map([
      [jobs[1]!.id, 'too much output'],
      ['a job of another run', 'too much output'],
    ]);
    const snapshot = await world.store.engine.loadRun(run.id, { overQuota });
    expect(snapshot?.overQuota).toEqual({ [jobs[1]!.id]: 'too much output' });
    expect(snapshot).toMatchObject({ probes: {}, gpuSamples: {}, requests: null });
  });

  it('has imported fleets too, with their projects', async () => {
    const world = await openWorld(tests);
    const { store, userId, projectId } = world;
    const other = projectRecord(userId, { name: 'other' });
    await store.projects.insert(other);
    const shared = await insertFleet(world, 'shared', other.id);
    await insertFleet(world, 'private', other.id);
    await insertRun(world, {}, [{}]);
    await store.exports.insert(
      { id: 'e1', projectId: other.id, name: 'pool', isGlobal: false, createdAt: 1 },
      { importers: [projectId], fleets: [shared.fleet.id], gateways: [] },
    );
    const snapshot = await waitingWork(store, projectId);
    expect(snapshot?.fleets).toEqual([shared.fleet]);
    expect(snapshot?.instances).toEqual([shared.instance]);
    expect(snapshot?.projectNames).toEqual({ [projectId]: 'main', [other.id]: 'other' });
  });

  it('gives the capacity of a project: by fleet, oldest first, and by number', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { fleet: newer, instance: c } = await insertFleet(world, 'newer');
    const { fleet: older, instance: a } = await insertFleet(world, 'older');
    const { projectId } = world;
    const b = instanceRecord({ ...{ projectId, fleetId: older.id }, instanceNum: 1 });
    const d = instanceRecord({ ...{ projectId, fleetId: newer.id }, instanceNum: 10 });
    await engine.apply([
      { type: 'fleet.update', id: newer.id, version: 0, set: { createdAt: older.createdAt + 1 } },
      { type: 'instance.insert', instance: d },
      { type: 'instance.insert', instance: { ...b, busyBlocks: 1 } },
    ]);
    const capacity = await engine.loadCapacity(projectId);
    expect(capacity.fleets.map(({ id }) => id)).toEqual([older.id, newer.id]);
    expect(capacity.instances.map(({ id }) => id)).toEqual([a.id, b.id, c.id, d.id]);
    const machines = capacity.serverHosts.map(({ hostId, instances, busy }) => [
      hostId,
      instances,
      busy.map(({ busyBlocks }) => busyBlocks),
    ]);
    expect(machines.sort()).toEqual([
      ['host-newer', 1, []],
      ['host-older', 1, []],
      ['local', 2, [1]],
    ]);
    expect(capacity.projectNames).toEqual({ [projectId]: 'main' });
  });

  it('reads an instance with what claims it and its place in the fleet', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { fleet, instance } = await insertFleet(world, 'fleet');
    const { projectId } = world;
    const part = { projectId, fleetId: fleet.id };
    const gone = instanceRecord({ ...part, instanceNum: 1, status: 'terminating' });
    await engine.apply([{ type: 'instance.insert', instance: gone }]);
    const { jobs } = await insertRun(world, { fleetId: fleet.id }, [
      { instanceId: instance.id, status: 'running' },
      { instanceId: instance.id, status: 'done', jobNum: 1 },
    ]);
    expect(await engine.loadInstance(instance.id)).toEqual({
      ...{
        instance,
        fleet,
        jobs: [jobs[0]],
        host: null,
        health: null,
        intents: [],
        ...{ local: null, observation: null, group: null },
        activeInFleet: 1,
      },
    });
    expect(await engine.loadFleet(fleet.id)).toEqual({
      ...{ fleet, projectName: 'main', projectDeleted: false, activeRuns: 1 },
      instances: [instance, gone],
      groups: [],
      intents: [],
      volumes: [],
    });
    expect(await engine.loadFleet('absent')).toBeNull();
  });

  it('finds what is due and what is not finished', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { fleet, instance } = await insertFleet(world, 'fleet');
    const late = await insertRun(world, { name: 'late', nextPassAt: 30 });
    const soon = await insertRun(world, { name: 'soon', nextPassAt: 10 }, [{}]);
    await insertRun(world, { name: 'quiet', nextPassAt: null, status: 'done' });
    await engine.apply([{ type: 'intent.insert', intent: intentRecord(soon.jobs[0]!.id) }]);
    expect(await engine.due('run', 9, 10)).toEqual([]);
    expect(await engine.due('run', 30, 10)).toEqual([soon.run.id, late.run.id]);
    expect(await engine.due('run', 30, 1)).toEqual([soon.run.id]);
    expect(await engine.nextDue('run')).toBe(10);
    expect(await engine.nextDue('fleet')).toBeNull();
    const unfinished = await engine.unfinished();
    const { projectId } = world;
    const pools = await engine.waitingFor({ kind: 'project', projectId });
    expect(unfinished.map(({ kind, id }) => `${kind} ${id}`).toSorted()).toEqual(
      [
        `intent ${intentRecord(soon.jobs[0]!.id).key}`,
        `run ${late.run.id}`,
        `run ${soon.run.id}`,
        `pool ${pools[0]}`,
        `instance ${instance.id}`,
        `fleet ${fleet.id}`,
      ].toSorted(),
    );
  });

  it('keeps the newest report and never shortens a log', async () => {
    const world = await openWorld(tests);
    const { reports } = world.store;
    const { jobs, run } = await insertRun(world, {}, [{ status: 'pulling' }]);
    const { id } = jobs[0]!;
    expect(await reports.saveState('h', state(id, 2), 20)).toBe(true);
    expect(await reports.saveState('h', state(id, 1), 30)).toBe(false);
    expect(await reports.saveState('h', state(id, 2), 40)).toBe(false);
    const pull = {
      ...{ downloaded_bytes: 1, extracted_bytes: 0, total_bytes: 9 },
      is_total_bytes_final: true,
    };
    await reports.savePull(id, { ...pull, downloaded_bytes: 0 });
    await reports.savePull(id, pull);
    expect(await reports.byJobs([id])).toEqual([
      { jobId: id, hostId: 'h', state: state(id, 2), receivedAt: 20, pull },
    ]);
    await reports.saveLogEnd(id, 100);
    await reports.saveLogEnd(id, 50);
    expect(await reports.logEnds([id])).toEqual([{ jobId: id, stored: 100 }]);
    await reports.saveActivity(id, 17);
    const view = await world.store.runs.byId(run.id);
    expect(view?.pulls).toEqual({ [id]: pull });
    expect(view?.jobs).toEqual([{ ...jobs[0], inactivitySecs: 17 }]);
  });

  it('shows how far the stop of a job has come, as long as it is under way', async () => {
    const world = await openWorld(tests);
    const { run, jobs } = await insertRun(world, {}, [
      { status: 'terminating' },
      { status: 'running', jobNum: 1 },
    ]);
    for (const { id } of jobs) {
      const stopping = { ...state(id, 1), stop_stage: 'terminate' } as const;
      await world.store.reports.saveState('h', stopping, 1);
    }
    const view = await world.store.runs.byId(run.id);
    expect(view?.stages).toEqual({ [jobs[0]!.id]: { kind: 'stop', stage: 'terminate' } });
  });

  it('shows the stage of the machine that a job waits for, from before its order until it is in service', async () => {
    const world = await openWorld(tests);
    const { instance } = await insertFleet(world, 'fleet');
    const { run, jobs } = await insertRun(world, {}, [
      { status: 'submitted', instanceId: instance.id },
      { status: 'submitted', jobNum: 1 },
    ]);
    const changed: string[] = [];
    world.store.changes.subscribe(
      (more) => changed.push(...more.map(({ kind, id }) => `${kind} ${id}`)),
      () => {},
    );
    const update = async (set: object) =>
      await world.store.engine.updateInstance(instance.id, ({ instance: { id, version } }) => ({
        changes: [{ type: 'instance.update', id, version, set }],
      }));
    await update({ status: 'pending', terminationMessage: 'copying the agent' });
    const id = jobs[0]?.id ?? '';
    expect((await world.store.runs.byId(run.id))?.stages).toEqual({
      [id]: { kind: 'machine', text: 'copying the agent' },
    });
    expect(changed).toContain(`job ${id}`);
    changed.length = 0;
    await update({ status: 'provisioning', terminationMessage: 'Installing the agent' });
    expect((await world.store.runs.byId(run.id))?.stages).toEqual({
      [id]: { kind: 'machine', text: 'Installing the agent' },
    });
    expect(changed).toContain(`job ${id}`);
    await update({ status: 'busy' });
    expect((await world.store.runs.byId(run.id))?.stages).toEqual({});
  });

  it('ignores reports of agents about jobs that do not exist', async () => {
    const world = await openWorld(tests);
    const { reports, metrics } = world.store;
    expect(await reports.saveState('h', state('gone', 1), 1)).toBe(false);
    await reports.saveLogEnd('gone', 5);
    const empty = { downloaded_bytes: 0, extracted_bytes: 0, total_bytes: 0 };
    await reports.savePull('gone', { ...empty, is_total_bytes_final: false });
    const { jobs } = await insertRun(world, {}, [{ status: 'running' }]);
    const zero = { timestamp_micro: 1, cpu_usage_micro: 0, memory_usage_bytes: 0 };
    const point = { ...zero, memory_working_set_bytes: 0, gpus: [] };
    await metrics.addJobPoints([
      { jobId: 'gone', metrics: point },
      { jobId: jobs[0]!.id, metrics: point },
    ]);
    expect(await metrics.jobPoints(jobs[0]!.id, {})).toEqual([point]);
    expect(await reports.logEnds(['gone'])).toEqual([]);
  });
});
