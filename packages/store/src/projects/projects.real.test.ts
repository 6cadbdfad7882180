import { expect, it } from 'vitest';
import { fleetRecord, newEvent, projectRecord, runRecord, userRecord } from '../testing/records.ts';
import { forEachStore, openWorld } from '../testing/stores.ts';
import type { ProjectFilter } from './types.ts';

forEachStore((tests) => {
  it('makes the owner an admin member and keeps the key to itself', async () => {
    const { store, userId, projectId } = await openWorld(tests);
    const { projects } = store;
    const access = await projects.access('MAIN', userId);
    expect(access).toEqual({
      role: 'admin',
      project: {
        ...{ id: projectId, name: 'main', ownerId: userId, isPublic: false, templatesRepo: null },
        ...{ sshPublicKey: 'ssh-rsa BBBB', defaultGatewayId: null, createdAt: 1_000_000 },
        ...{ deleted: false, originalName: null },
      },
    });
    expect(await projects.privateKey(projectId)).toBe('project-private');
    expect(await projects.access('main', 'stranger')).toMatchObject({ role: null });
    expect(await projects.access('absent', userId)).toBeNull();
    expect(await projects.insert(projectRecord(userId, { name: 'Main' }))).toBe('name-taken');
    expect(await projects.ownedCount(userId)).toBe(1);
  });

  it('lists what a user may see, and what another user belongs to', async () => {
    const { store, userId } = await openWorld(tests);
    const { projects, users } = store;
    const bob = userRecord({ name: 'bob' });
    await users.insert(bob);
    await projects.insert(projectRecord(userId, { name: 'open', isPublic: true, createdAt: 3e6 }));
    await projects.insert(projectRecord(bob.id, { name: 'bobs', createdAt: 2e6 }));
    const names = async (filter: ProjectFilter) =>
      (await projects.list(filter)).map((project) => project.name);
    expect(await names({})).toEqual(['open', 'bobs', 'main']);
    expect(await names({ page: { limit: 1, ascending: true } })).toEqual(['main']);
    const seen = { userId: bob.id, includePublic: true };
    expect(await names({ visibleTo: seen })).toEqual(['open', 'bobs']);
    expect(await names({ visibleTo: { ...seen, includePublic: false } })).toEqual(['bobs']);
    expect(await names({ ofUser: userId })).toEqual(['open', 'main']);
    expect(await names({ ofUser: userId, visibleTo: seen })).toEqual(['open']);
    expect(await names({ namePattern: 'B' })).toEqual(['bobs']);
    expect(await projects.count({ visibleTo: seen })).toBe(2);
    expect(await projects.idsOfMember(bob.id)).toHaveLength(1);
  });

  it('keeps members in the order they were set', async () => {
    const { store, userId, projectId } = await openWorld(tests);
    const { projects, users } = store;
    const others = ['bob', 'carol', 'dave'].map((name) => userRecord({ name }));
    for (const user of others) await users.insert(user);
    const [bob, carol, dave] = others;
    const list = async () =>
      (await projects.members(projectId)).map(({ user, role }) => `${user.name} ${role}`);
    await projects.setMembers(projectId, [
      { userId: carol!.id, role: 'user' },
      { userId, role: 'admin' },
    ]);
    await projects.addMembers(projectId, [
      { userId: bob!.id, role: 'user' },
      { userId: carol!.id, role: 'manager' },
      { userId: dave!.id, role: 'user' },
    ]);
    expect(await list()).toEqual(['carol manager', 'alice admin', 'bob user', 'dave user']);
    const found: string[] = [];
    await projects.removeMembers(projectId, [carol!.id, 'absent'], (before) => {
      found.push(...before.map(({ user, role }) => `${user.name} ${role}`));
      return newEvent('Members removed');
    });
    expect(found).toEqual(['carol manager', 'alice admin', 'bob user', 'dave user']);
    expect(await list()).toEqual(['alice admin', 'bob user', 'dave user']);
    expect(await projects.role(projectId, bob!.id)).toBe('user');
    expect(await projects.role(projectId, carol!.id)).toBeNull();
    expect(await projects.memberships(bob!.id, [projectId, 'absent'])).toMatchObject([
      { projectId, role: 'user' },
    ]);
  });

  it('names what prevents the deletion of a project', async () => {
    const { store, userId, projectId } = await openWorld(tests);
    expect(await store.projects.inUse([projectId])).toEqual([]);
    const fleet = fleetRecord({ projectId });
    await store.engine.createFleet({
      ...{ projectId, name: { exact: 'fleet' }, build: () => ({ fleet, instances: [] }) },
    });
    for (const status of ['running', 'done'] as const) {
      await store.engine.submitRun({
        ...{ projectId, name: { exact: status }, superseded: () => newEvent('') },
        build: (name) => ({ run: runRecord({ projectId, userId, name, status }), jobs: [] }),
      });
    }
    expect(await store.projects.inUse([projectId, 'absent'])).toEqual([
      { projectId, projectName: 'main', activeRuns: 1, activeFleets: 1, activeVolumes: 0 },
    ]);
  });

  it('frees the name of a deleted project', async () => {
    const { store, userId, projectId } = await openWorld(tests);
    await store.projects.delete([projectId]);
    expect(await store.projects.byName('main')).toBeNull();
    expect(await store.projects.byId(projectId)).toMatchObject({
      ...{ deleted: true, originalName: 'main' },
    });
    expect(await store.projects.list({})).toEqual([]);
    expect(await store.projects.insert(projectRecord(userId, { name: 'main' }))).toBe('created');
  });

  it('lists projects without an own or imported fleet, oldest first', async () => {
    const { store, userId, projectId } = await openWorld(tests);
    const { projects } = store;
    const others = ['bare', 'importer', 'bare-too'].map((name, index) =>
      projectRecord(userId, { name, createdAt: (index + 2) * 1_000_000 }),
    );
    for (const project of others) await projects.insert(project);
    const fleet = fleetRecord({ projectId });
    await store.engine.createFleet({
      ...{ projectId, name: { exact: 'fleet' }, build: () => ({ fleet, instances: [] }) },
    });
    await store.exports.insert(
      { id: 'e', projectId, name: 'pool', isGlobal: false, createdAt: 1 },
      { importers: [others[1]!.id], fleets: [fleet.id], gateways: [] },
    );
    const found = await projects.withoutFleets(userId);
    expect(found.map((project) => project.name)).toEqual(['bare', 'bare-too']);
  });

  it('changes what may be changed', async () => {
    const { store, projectId } = await openWorld(tests);
    await store.projects.update(projectId, { isPublic: true, templatesRepo: 'https://x/y' });
    await store.projects.update(projectId, { defaultGatewayId: 'g' });
    expect((await store.projects.byIds([projectId]))[0]).toMatchObject({
      ...{ isPublic: true, templatesRepo: 'https://x/y', defaultGatewayId: 'g' },
    });
    expect(await store.projects.byNames(['Main', 'absent'])).toHaveLength(1);
  });
});
