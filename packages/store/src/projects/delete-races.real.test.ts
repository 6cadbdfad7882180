import { expect, it } from 'vitest';
import { fleetRecord, instanceRecord, newEvent } from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';

const TIMES = 20;

async function addFleet({ store, projectId }: World, name: string): Promise<'added' | 'refused'> {
  const fleet = fleetRecord({ projectId, name });
  try {
    await store.engine.createFleet({
      ...{ projectId, name: { exact: name }, build: () => ({ fleet, instances: [] }) },
    });
    return 'added';
  } catch (error) {
    expect(error).toMatchObject({ code: 'store_project_deleted' });
    return 'refused';
  }
}

forEachStore((tests) => {
  it('deletes a project once, however many requests come at the same time', async () => {
    const { store, projectId } = await openWorld(tests);
    const event = () => newEvent('Project deleted');
    const asked = Array.from({ length: TIMES }, () => store.projects.delete([projectId], event));
    for (const outcome of await Promise.all(asked)) expect(outcome).toEqual({ type: 'deleted' });
    const events = await store.events.list({ visibleTo: null });
    expect(events.filter(({ message }) => message === 'Project deleted')).toHaveLength(1);
  });

  it('never deletes a project while a fleet is added to it', async () => {
    const world = await openWorld(tests);
    const adding = Array.from({ length: TIMES }, (_, i) => addFleet(world, `fleet-${i}`));
    const deleting = Array.from({ length: TIMES }, () =>
      world.store.projects.delete([world.projectId]),
    );
    const outcomes = await Promise.all(deleting);
    const added = (await Promise.all(adding)).filter((outcome) => outcome === 'added').length;
    const isDeleted = (await world.store.projects.byId(world.projectId))?.deleted;
    expect(isDeleted).toBe(added === 0);
    expect(outcomes.some((outcome) => outcome.type === 'deleted')).toBe(isDeleted);
    expect(await addFleet(world, 'late')).toBe(isDeleted ? 'refused' : 'added');
  });

  it('deletes backends together or not at all, and twice is once', async () => {
    const { store, projectId } = await openWorld(tests);
    const part = { projectId, createdAt: 1, updatedAt: 1, config: {}, sourceConfig: null };
    for (const type of ['aws', 'gcp'] as const) {
      await store.backends.insert({ ...part, id: type, type, auth: {}, sourceAuth: null });
    }
    const fleet = fleetRecord({ projectId });
    const machine = instanceRecord({ projectId, fleetId: fleet.id, backend: 'gcp' });
    await store.engine.createFleet({
      ...{ projectId, name: { exact: fleet.name } },
      build: () => ({ fleet, instances: [machine] }),
    });
    expect(await store.backends.deleteUnused(projectId, ['aws', 'gcp'])).toEqual({
      ...{ type: 'gcp', instances: 1, volumes: 0, ending: 0 },
    });
    expect(await store.backends.list([projectId])).toHaveLength(2);
    const asked = Array.from({ length: TIMES }, () =>
      store.backends.deleteUnused(projectId, ['aws']),
    );
    expect(new Set(await Promise.all(asked))).toEqual(new Set([null]));
    expect((await store.backends.list([projectId])).map(({ type }) => type)).toEqual(['gcp']);
  });
});
