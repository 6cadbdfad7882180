import { expect, it } from 'vitest';
import type { Store } from '../store.ts';
import { insertGateway } from '../testing/gateways.ts';
import { newEvent, projectRecord, runRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';

interface Submission {
  readonly name: string;
  readonly projectId?: string;
  readonly status?: 'running' | 'done';
}

/** A service that the gateway accepts while it is not being deleted. */
function submit(world: World, store: Store, { name, ...part }: Submission) {
  const { projectId, userId } = world;
  const run = runRecord({ projectId, userId, name, gatewayId: 'g1', ...part });
  return store.engine.submitRun({
    ...{ projectId: run.projectId, name: { exact: name }, superseded: () => newEvent('') },
    gateway: {
      id: 'g1',
      accept: (gateway) => {
        if (gateway === null || gateway.toBeDeleted) throw new Error('refused');
      },
    },
    build: () => ({ run, jobs: [] }),
  });
}

/** Like the API: only without services. */
async function remove(store: Store): Promise<readonly string[]> {
  let users: readonly string[] = [];
  await store.engine.endGateway('g1', ({ gateway, services, projectNames }) => {
    users = services.map(({ name, projectId }) => `${projectNames[projectId]}/${name}`);
    if (users.length > 0) return null;
    const set = { toBeDeleted: true };
    return { changes: [{ type: 'gateway.update', id: 'g1', version: gateway.version, set }] };
  });
  return users;
}

const isLeaving = async ({ store }: World) =>
  (await store.gateways.byId('g1'))?.gateway.toBeDeleted ?? null;

forEachStore((tests) => {
  it('a gateway is deleted with the services in view that use it, of all projects', async () => {
    const world = await openWorld(tests);
    await insertGateway(world);
    const other = projectRecord(world.userId, { name: 'lab' });
    await world.store.projects.insert(other);
    await submit(world, world.store, { name: 'web', status: 'running' });
    await submit(world, world.store, { name: 'api', projectId: other.id });
    await submit(world, world.store, { name: 'old', status: 'done' });
    expect([...(await remove(world.store))].sort()).toEqual(['lab/api', 'main/web']);
    expect(await isLeaving(world)).toBe(false);
    expect(await world.store.engine.endGateway('nosuch', () => null)).toBeNull();
  });

  it('a service is refused by what its gateway is in the moment of the submission', async () => {
    const world = await openWorld(tests);
    await expect(submit(world, world.store, { name: 'web' })).rejects.toThrow('refused');
    await insertGateway(world);
    await submit(world, world.store, { name: 'web', status: 'done' });
    expect(await remove(world.store)).toEqual([]);
    await expect(submit(world, world.store, { name: 'api' })).rejects.toThrow('refused');
    expect(await world.store.runs.byName(world.projectId, 'api')).toBeNull();
    const run = await world.store.runs.byName(world.projectId, 'web');
    const accept = () => {
      throw new Error('refused');
    };
    const moved = world.store.engine.updateRun(run?.run.id ?? '', () => null, { id: 'g1', accept });
    await expect(moved).rejects.toThrow('refused');
  });

  it('of two services that take the same host name at the same time, one is refused', async () => {
    const url = await tests.createDatabase();
    const world = await openWorld(tests, { url });
    const other = tests.dialect === 'sqlite' ? world.store : await tests.open({ url });
    await insertGateway(world);
    const { projectId, userId } = world;
    const take = (store: Store, name: string, host: string) => {
      const serviceSpec = { url: `http://${name}.test`, model: null, options: {}, hosts: [host] };
      const run = runRecord({ projectId, userId, name, gatewayId: 'g1', serviceSpec });
      return store.engine.submitRun({
        ...{ projectId, name: { exact: name }, superseded: () => newEvent('') },
        gateway: {
          ...{ id: 'g1', isExclusive: true },
          accept: (_, beside) => {
            const holder = beside.find((one) => one.run.serviceSpec?.hosts?.includes(host));
            if (holder) throw new Error(`${holder.projectName}/${holder.run.name} has it`);
          },
        },
        build: () => ({ run, jobs: [] }),
      });
    };
    for (let n = 0; n < 10; n++) {
      const tries = [world.store, other].map((store, of) =>
        take(store, `web-${n}-${of}`, `${n}.test`),
      );
      const refused = (await Promise.allSettled(tries)).filter(
        ({ status }) => status === 'rejected',
      );
      expect(refused).toMatchObject([
        { reason: { message: expect.stringMatching(/^main\/web-/) } },
      ]);
    }
  });

  it('of a submission and a deletion at the same time, one succeeds', async () => {
    const url = await tests.createDatabase();
    const world = await openWorld(tests, { url });
    const other = tests.dialect === 'sqlite' ? world.store : await tests.open({ url });
    const { projectId, store } = world;
    await insertGateway(world);
    for (let n = 0; n < 20; n++) {
      const name = `web-${n}`;
      const [submitted] = await Promise.allSettled([submit(world, store, { name }), remove(other)]);
      const isStored = submitted.status === 'fulfilled';
      expect(await isLeaving(world)).toBe(!isStored);
      const view = await store.runs.byName(projectId, name);
      expect(view !== null).toBe(isStored);
      const { version = 0 } = (await store.gateways.byId('g1'))?.gateway ?? {};
      await store.gateways.update('g1', version, { toBeDeleted: false });
      if (view === null) continue;
      const { id, version: of } = view.run;
      await store.engine.apply([{ type: 'run.update', id, version: of, set: { status: 'done' } }]);
    }
  });
});
