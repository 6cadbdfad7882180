/** Volumes, gateways, exports and imports. */

import type { GatewayCertificateState } from '@dstack/core';
import { expect, it } from 'vitest';
import type { NameChoice } from './base/writes.ts';
import type { ExportRecord } from './schema/resource-records.ts';
import { gatewayRecord, insertGateway, replicaRecord } from './testing/gateways.ts';
import {
  fleetRecord,
  instanceRecord,
  newEvent,
  projectRecord,
  runRecord,
  volumeRecord,
} from './testing/records.ts';
import { forEachStore, openWorld, type World } from './testing/stores.ts';
import type { VolumeRecord } from './volumes/types.ts';

async function insertFleet({ store, projectId }: World) {
  const fleet = fleetRecord({ projectId });
  const instance = instanceRecord({ projectId, fleetId: fleet.id, name: 'fleet-0' });
  await store.engine.createFleet({
    ...{ projectId, name: { exact: 'fleet' }, build: () => ({ fleet, instances: [instance] }) },
  });
  return { fleet, instance };
}

forEachStore((tests) => {
  it('names, lists and updates volumes', async () => {
    const world = await openWorld(tests);
    const { volumes } = world.store;
    const insert = (name: NameChoice, part: Partial<VolumeRecord> = {}) =>
      volumes.insert(world.projectId, name, (chosen) => ({
        volume: volumeRecord(world, { ...part, name: chosen }),
        events: [newEvent('Volume created. Status: SUBMITTED')],
      }));
    expect(await insert({ exact: 'data' })).toMatchObject({ type: 'created' });
    expect(await insert({ exact: 'data' }, { id: 'v2' })).toEqual({ type: 'name-taken' });
    const volume = volumeRecord(world);
    expect(await volumes.byName(world.projectId, 'data')).toEqual({
      ...{ volume, projectName: 'main', userName: 'alice', attachments: [] },
    });
    expect(await volumes.update('v1', 0, { status: 'active', nextPassAt: null })).toBe('updated');
    expect(await volumes.update('v1', 0, { status: 'failed' })).toBe('conflict');
    expect((await volumes.byId('v1'))?.volume).toMatchObject({ status: 'active', version: 1 });
    await volumes.update('v1', 1, { deleted: true });
    expect(await volumes.byName(world.projectId, 'data')).toBeNull();
    expect(await insert({ exact: 'data' }, { id: 'v3' })).toMatchObject({ type: 'created' });
    const listed = (part: object) => volumes.list({ projectIds: [world.projectId], ...part });
    expect(await listed({})).toHaveLength(2);
    expect(await listed({ onlyActive: true })).toHaveLength(1);
    expect(await volumes.list({ projectIds: null, page: { limit: 1 } })).toHaveLength(1);
    expect(await world.store.backends.inUse(world.projectId, 'aws')).toEqual({
      ...{ instances: 0, volumes: 1, ending: 0 },
    });
  });

  it('writes volumes, gateways and the default of a project in passes', async () => {
    const world = await openWorld(tests);
    const { engine, volumes, gateways } = world.store;
    await volumes.insert(world.projectId, { exact: 'data' }, () => ({
      volume: volumeRecord(world),
    }));
    await insertGateway(world);
    expect(await engine.loadVolume('v1')).toMatchObject({
      ...{ volume: { id: 'v1' }, projectName: 'main', backendConfigured: false, attachments: [] },
    });
    const makeDefault = (from: string | null) =>
      engine.apply([
        { type: 'volume.update', id: 'v1', version: 0, set: { toBeDeleted: true } },
        { type: 'gateway.update', id: 'g1', version: 0, set: { status: 'failed' } },
        { type: 'project.default-gateway', id: world.projectId, from, to: 'g1' },
      ]);
    expect(await makeDefault('other')).toBe('conflict');
    expect((await volumes.byId('v1'))?.volume.toBeDeleted).toBe(false);
    expect(await makeDefault(null)).toBe('applied');
    expect((await gateways.byId('g1'))?.gateway).toMatchObject({ status: 'failed', version: 1 });
    expect(await engine.loadGateway('g1')).toMatchObject({
      ...{ projectDefaultId: 'g1', defaultOf: [{ id: world.projectId, name: 'main' }] },
    });
    expect(await engine.due('volume', 1, 10)).toEqual(['v1']);
    expect(await engine.unfinished()).toEqual(
      expect.arrayContaining([
        { kind: 'volume', id: 'v1' },
        { kind: 'gateway', id: 'g1' },
      ]),
    );
    expect(await engine.claim('gateway', 'g1', 'me', 1_000_000)).toBe(true);
  });

  it('shows of a gateway the newest record of each replica', async () => {
    const world = await openWorld(tests);
    const { gateways } = world.store;
    expect(await insertGateway(world)).toMatchObject({ type: 'created' });
    expect(await insertGateway(world, { id: 'g2' })).toEqual({ type: 'name-taken' });
    const replicas = [
      replicaRecord({ id: 'old', status: 'terminated' }),
      replicaRecord({ id: 'new', createdAt: 2 }),
      replicaRecord({ id: 'second', replicaNum: 1, createdAt: 3 }),
    ];
    for (const replica of replicas) {
      await gateways.insertReplica({ ...replica, sshPrivateKey: `key of ${replica.id}` });
    }
    const view = await gateways.byName(world.projectId, 'gate');
    expect(view?.gateway).toEqual(gatewayRecord(world));
    expect(view?.replicas.map((replica) => replica.id)).toEqual(['new', 'second']);
    expect(await gateways.replicas('g1')).toEqual(replicas);
    expect(await gateways.deleteEndedReplicas(1)).toBe(0);
    expect(await gateways.deleteEndedReplicas(9)).toBe(1);
    expect((await gateways.replicas('g1')).map(({ id }) => id)).toEqual(['new', 'second']);
    const [, , second] = replicas;
    if (second) await gateways.updateReplica('second', 0, { status: 'terminated' });
    expect(await gateways.deleteEndedReplicas(9)).toBe(0);
    expect(await gateways.replicaPrivateKey('new')).toBe('key of new');
    expect(await gateways.updateReplica('new', 0, { status: 'running' })).toBe('updated');
    expect(await gateways.updateReplica('new', 0, { status: 'running' })).toBe('conflict');
    expect(await gateways.update('g1', 0, { status: 'running' })).toBe('updated');
    expect((await gateways.list(world.projectId)).map(({ gateway }) => gateway.status)).toEqual([
      ...['running'],
    ]);
    await gateways.update('g1', 1, { deleted: true });
    expect(await gateways.list(world.projectId)).toEqual([]);
    expect(await gateways.byId('g1')).toMatchObject({ gateway: { deleted: true } });
  });

  it('keeps the key of an account, and adds events that a report of a replica causes', async () => {
    const world = await openWorld(tests);
    await insertGateway(world);
    const { gateways, events } = world.store;
    const keyOf = (directory: string, created: string) =>
      gateways.acmeAccountKey('g1', directory, () => created);
    expect(await Promise.all([keyOf('https://a', 'one'), keyOf('https://b', 'two')])).toEqual([
      ...['one', 'two'],
    ]);
    const [first, second] = await Promise.all([keyOf('https://c', 'x'), keyOf('https://c', 'y')]);
    expect(first).toBe(second);
    expect(await keyOf('https://a', 'three')).toBe('one');
    const certificate: GatewayCertificateState = {
      ...{ domain: 'a.org', source: 'acme', state: 'valid', expiresAt: 1, renewsAt: 1 },
      message: null,
    };
    for (const id of ['gr1', 'gr2']) {
      const replica = replicaRecord({ id, replicaNum: id === 'gr1' ? 0 : 1 });
      await gateways.insertReplica({ ...replica, sshPrivateKey: 'k' });
      const report = {
        ...{ replicaId: id, state: 'ready' as const, text: null, hostname: null, version: null },
        ...{ certificates: [certificate], outdated: null, updatedAt: 1 },
      };
      await gateways.saveReport(report, 'g1', (before) => [
        newEvent(`${id} knows ${before.length} others`),
      ]);
    }
    const listed = await events.list({ visibleTo: null, page: { limit: 2 } } as never);
    expect(listed.map(({ message }) => message)).toEqual([
      'gr2 knows 1 others',
      'gr1 knows 0 others',
    ]);
  });

  it('keeps one registration per service or replica and gateway replica', async () => {
    const world = await openWorld(tests);
    const { gateways, engine, runs } = world.store;
    await insertGateway(world);
    await gateways.insertReplica({ ...replicaRecord(), sshPrivateKey: 'k' });
    const { projectId, userId } = world;
    const run = runRecord({ projectId, userId, gatewayId: 'g1', status: 'running' });
    await engine.submitRun({
      ...{ projectId, name: { exact: 'train' }, superseded: () => newEvent('') },
      build: () => ({ run, jobs: [] }),
    });
    expect(await runs.onGateway('g1')).toEqual([run]);
    const registration = {
      ...{ runId: run.id, jobId: null, gatewayReplicaId: 'gr1', registered: false },
      ...{ registerAttempt: 1, registerMessage: 'no', unregisterAttempt: 0 },
      unregisterMessage: null,
    };
    await gateways.saveRegistration(registration);
    await gateways.saveRegistration({ ...registration, registered: true, registerAttempt: 2 });
    expect(await gateways.registrations(['gr1'])).toEqual([
      { ...registration, registered: true, registerAttempt: 2 },
    ]);
  });

  it('exports to chosen projects and changes what is exported', async () => {
    const world = await openWorld(tests);
    const { store, userId, projectId } = world;
    const { exports } = store;
    const { fleet } = await insertFleet(world);
    await insertGateway(world);
    const [one, two] = ['one', 'two'].map((name) => projectRecord(userId, { name }));
    for (const project of [one!, two!]) await store.projects.insert(project);
    const record: ExportRecord = {
      ...{ id: 'e1', projectId, name: 'pool', isGlobal: false, createdAt: 1 },
    };
    const content = { importers: [one!.id], fleets: [fleet.id], gateways: [] };
    expect(await exports.insert(record, content)).toBe('created');
    expect(await exports.insert({ ...record, id: 'e2' }, content)).toBe('name-taken');
    expect(await exports.byName(projectId, 'pool')).toEqual({
      ...{ export: record, projectName: 'main', importers: [{ id: one!.id, name: 'one' }] },
      ...{ fleets: [{ id: fleet.id, name: 'fleet' }], gateways: [] },
    });
    await exports.update('e1', {
      ...{ addImporters: [two!.id], removeImporters: [one!.id] },
      ...{ addGateways: ['g1'], removeFleets: [fleet.id] },
    });
    const [view] = await exports.list(projectId);
    expect(view?.importers.map((project) => project.name)).toEqual(['two']);
    expect([view?.fleets, view?.gateways]).toEqual([[], [{ id: 'g1', name: 'gate' }]]);
    expect(await exports.importedGatewayIds([two!.id])).toEqual(['g1']);
    expect(await exports.importedFleetIds([one!.id, two!.id])).toEqual([]);
    const list = await store.gateways.list(two!.id, { includeImported: true });
    expect(list.map(({ projectName }) => projectName)).toEqual(['main']);
    const [imported] = await exports.imports(two!.id);
    expect(imported?.source).toEqual(view);
    await exports.deleteImport(imported!.id);
    expect(await exports.imports(two!.id)).toEqual([]);
    await exports.delete('e1');
    expect(await exports.list(projectId)).toEqual([]);
  });

  it('lets every present and future project import a global export', async () => {
    const world = await openWorld(tests);
    const { store, userId, projectId } = world;
    const present = projectRecord(userId, { name: 'present' });
    await store.projects.insert(present);
    const record = { id: 'e1', projectId, name: 'pool', isGlobal: true, createdAt: 1 };
    await store.exports.insert(record, { importers: [], fleets: [], gateways: [] });
    const future = projectRecord(userId, { name: 'future' });
    await store.projects.insert(future);
    const importers = async () =>
      (await store.exports.byName(projectId, 'pool'))?.importers.map(({ name }) => name);
    expect(await importers()).toEqual(['future', 'present']);
    await store.exports.update('e1', { isGlobal: false });
    await store.projects.insert(projectRecord(userId, { name: 'later' }));
    expect(await importers()).toEqual(['future', 'present']);
  });
});
