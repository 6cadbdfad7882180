import type { RunContext } from '@dstack/core';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { LOCAL_OFFER } from '../http/testing/offers.ts';
import { passDeps } from '../http/testing/pass-deps.ts';
import { startTestServer, type TestServer } from '../http/testing/test-server.ts';
import type { KeyWork } from '../queues/work-queue.ts';
import type { WorkDeps } from './work/descriptor.ts';
import { pool } from './work/pool.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
  onTestFinished(() => server.close());
});

/**
 * A pass over the pool of a project, whose id is the key. `whileAsked` happens while the backends are
 * asked for offers.
 */
function placement(whileAsked: () => Promise<unknown>, localMaxInstances = 4): KeyWork {
  const deps = passDeps(server);
  const context = (): RunContext => {
    const { settings, ...rest } = deps.context();
    return { ...rest, settings: { ...settings, localMaxInstances } };
  };
  const answer: WorkDeps['offers']['answer'] = async (projectId, wanted) => {
    const answers = await deps.offers.answer(projectId, wanted);
    await whileAsked();
    return answers;
  };
  const pass = pool.work({ ...deps, context, offers: { ...deps.offers, answer } });
  return async (id) => {
    const [poolId] = await server.store.engine.waitingFor({ kind: 'project', projectId: id });
    return await pass(poolId ?? '');
  };
}

const projectId = async (name: string) => (await server.store.projects.byName(name))?.id ?? '';

async function submit(name: string, more: object = {}, project = 'main'): Promise<void> {
  const configuration = { type: 'task', name, commands: ['true'], ...more };
  const plan = { run_spec: { run_name: name, configuration } };
  const body = { plan, force: false };
  const answer = await server.call(`/api/project/${project}/runs/apply`, body);
  expect(answer.status).toBe(200);
}

async function applyFleet(nodes: string, project = 'main', more: object = {}): Promise<void> {
  const configuration = { type: 'fleet', name: 'default', nodes, ...more };
  const plan = { spec: { configuration, profile: {} } };
  const answer = await server.call(`/api/project/${project}/fleets/apply`, { plan, force: true });
  expect(answer.status).toBe(200);
}

const deleteFleet = () => server.call('/api/project/main/fleets/delete', { names: ['default'] });

async function instancesOf(project: string) {
  const capacity = await server.store.engine.loadCapacity(await projectId(project));
  return capacity.instances;
}

it('a job gets no machine in a fleet that is deleted while its offers are requested', async () => {
  server.offers.push(LOCAL_OFFER);
  await applyFleet('0..1');
  await submit('late');
  const pass = placement(async () => expect(await deleteFleet()).toMatchObject({ status: 200 }));
  expect(await pass(await projectId('main'))).toEqual({ ending: 'conflict' });
  expect(await instancesOf('main')).toEqual([]);
});

it('a fleet gets no more instances than its new limit, which changed while its offers were requested', async () => {
  server.offers.push(LOCAL_OFFER);
  await applyFleet('0..2');
  await submit('first');
  await submit('second');
  const shrink = placement(() => applyFleet('0..1'));
  expect(await shrink(await projectId('main'))).toEqual({ ending: 'conflict' });
  await placement(async () => {})(await projectId('main'));
  expect(await instancesOf('main')).toHaveLength(1);
});

it('two projects do not get the last slot of the server’s machine at the same time', async () => {
  server.offers.push(LOCAL_OFFER);
  await server.call('/api/projects/create', { project_name: 'lab' });
  for (const project of ['main', 'lab']) {
    await applyFleet('0..1', project);
    await submit('wants', {}, project);
  }
  const other = placement(async () => {}, 1);
  const pass = placement(async () => await other(await projectId('lab')), 1);
  expect(await pass(await projectId('main'))).toEqual({ ending: 'conflict' });
  expect(await pass(await projectId('main'))).toEqual({ ending: 'done' });
  expect(await instancesOf('lab')).toHaveLength(1);
  expect(await instancesOf('main')).toEqual([]);
});

it('two projects do not get the same GPU of the server’s machine at the same time', async () => {
  const gpu = { name: 'H100', memory_mib: 81_920, vendor: 'nvidia' as const };
  const { resources } = LOCAL_OFFER.instance;
  const instance = { name: 'local', resources: { ...resources, gpus: [gpu] } };
  server.offers.push({ ...LOCAL_OFFER, instance, backend_data: { machine_gpus: 1 } });
  await server.call('/api/projects/create', { project_name: 'lab' });
  const more = { resources: { gpu: 1 } };
  for (const project of ['main', 'lab']) {
    await applyFleet('0..1', project, more);
    await submit('wants', more, project);
  }
  const other = placement(async () => {});
  const pass = placement(async () => await other(await projectId('lab')));
  expect(await pass(await projectId('main'))).toEqual({ ending: 'conflict' });
  expect(await pass(await projectId('main'))).toEqual({ ending: 'done' });
  expect(await instancesOf('lab')).toHaveLength(1);
  expect(await instancesOf('main')).toEqual([]);
});
