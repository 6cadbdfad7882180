import type { GatewayReplicaRecord, IntentPayload } from '@dstack/core';
import { expect, it } from 'vitest';
import { insertGateway, replicaRecord } from '../testing/gateways.ts';
import { insertFleet, insertRun } from '../testing/insert.ts';
import { intentRecord, newEvent, volumeRecord } from '../testing/records.ts';
import { forEachStore, openWorld } from '../testing/stores.ts';

const intent = (subjectId: string, payload: IntentPayload, state: 'announced' | 'done') =>
  ({
    type: 'intent.insert',
    intent: intentRecord(subjectId, {
      ...{ key: `${payload.kind}:${subjectId}:0`, kind: payload.kind, payload, state },
    }),
  }) as const;

forEachStore((tests) => {
  it('gives everything that waits for a host, and nothing of other hosts', async () => {
    const world = await openWorld(tests);
    const { engine, volumes } = world.store;
    const { instance } = await insertFleet(world, 'one');
    const other = await insertFleet(world, 'two');
    const onHost = { instanceId: instance.id, status: 'running' } as const;
    const { run, jobs } = await insertRun(world, { name: 'here' }, [
      onHost,
      { ...onHost, jobNum: 1 },
      { jobNum: 2, status: 'done' },
    ]);
    const ended = await insertRun(world, { name: 'ended' }, [{ ...onHost, status: 'terminating' }]);
    const elsewhere = { ...onHost, instanceId: other.instance.id };
    const far = await insertRun(world, { name: 'elsewhere' }, [elsewhere]);
    const [first, second, left] = jobs.map(({ id }) => id) as [string, string, string];
    const volume = volumeRecord(world, { id: 'here', name: 'here', hostId: 'host-one' });
    await volumes.insert(world.projectId, { exact: 'here' }, () => ({
      ...{ volume, events: [newEvent('Volume created')] },
    }));
    const start: IntentPayload = { kind: 'job.start', hold: false };
    const create: IntentPayload = { kind: 'volume.create', path: null, begun: false };
    const mount = { volumeId: 'here', instanceId: instance.id };
    await engine.apply([
      {
        type: 'attachment.insert',
        attachment: {
          ...{ id: 'mounted', ...mount, status: 'attaching', statusChangedAt: 1 },
          ...{ error: null, attachmentData: null, version: 0 },
        },
      },
      intent(first, start, 'announced'),
      intent(second, start, 'done'),
      intent(far.jobs[0]?.id ?? '', start, 'announced'),
      intent(left, { kind: 'job.remove', hostId: 'host-one' }, 'announced'),
      intent(ended.jobs[0]?.id ?? '', { kind: 'job.remove', hostId: 'host-two' }, 'done'),
      intent(instance.id, { kind: 'instance.terminate' }, 'announced'),
      intent(other.instance.id, { kind: 'instance.terminate' }, 'announced'),
      intent('here', create, 'announced'),
      intent('mounted', { kind: 'volume.attach', ...mount }, 'announced'),
    ]);
    const found = await engine.hostDependants('host-one');
    expect(found.map(({ kind, id }) => `${kind} ${id}`).sort()).toEqual(
      [
        `run ${run.id}`,
        `run ${ended.run.id}`,
        `instance ${instance.id}`,
        `intent job.start:${first}:0`,
        `intent job.remove:${left}:0`,
        `intent instance.terminate:${instance.id}:0`,
        'intent volume.create:here:0',
        'intent volume.attach:mounted:0',
      ].sort(),
    );
    expect(await engine.hostDependants('host-three')).toEqual([]);
  });

  it('gives the gateways that lack replicas, and when the host got room for one', async () => {
    const world = await openWorld(tests);
    const { engine, gateways, hosts } = world.store;
    const { instance } = await insertFleet(world, 'pool');
    const other = await insertFleet(world, 'busy');
    const onHosts = { backend: 'remote', region: 'pool', scaleOutAttempt: 3 } as const;
    const all = [
      { id: 'lacks', ...onHosts },
      { id: 'complete', ...onHosts, scaleOutAttempt: 0 },
      { id: 'far', ...onHosts, region: 'busy' },
      { id: 'ended', ...onHosts, deleted: true },
    ];
    for (const one of all) await insertGateway(world, { name: one.id, ...one });
    const dependants = await engine.hostDependants('host-pool');
    expect(dependants).toEqual([
      { kind: 'instance', id: instance.id },
      { kind: 'gateway', id: 'lacks' },
    ]);
    const room = async (id = 'lacks') => (await engine.loadGateway(id))?.roomSince;
    const host = { facts: null, executor: null, error: null, failed: false, since: 7 };
    await hosts.save({ ...host, id: 'host-pool', connected: false });
    expect(await room()).toBeNull();
    await hosts.save({ ...host, id: 'host-pool', connected: true });
    await hosts.save({ ...host, id: 'host-busy', connected: true });
    expect([await room(), await room('complete'), await room('far')]).toEqual([7, null, 7]);
    const insert = (part: Partial<GatewayReplicaRecord>) =>
      gateways.insertReplica({ ...replicaRecord(part), sshPrivateKey: 'key' });
    const ended = { status: 'terminated', deleted: true, instanceId: 'host-pool' } as const;
    await insert({ id: 'failed', gatewayId: 'far', ...ended, lastProcessedAt: 20 });
    expect(await room()).toBe(7);
    await insert({ id: 'left', gatewayId: 'far', ...ended, scaleIn: true, lastProcessedAt: 30 });
    expect(await room()).toBe(30);
    await insert({ id: 'holds', gatewayId: 'complete', instanceId: other.instance.hostId });
    expect(await room('far')).toBeNull();
    const scaledIn = { status: 'terminating', region: 'pool', scaleIn: true } as const;
    await insert({ id: 'leaves', gatewayId: 'complete', instanceId: 'host-pool', ...scaledIn });
    expect(await room()).toBeNull();
    expect((await engine.loadGateway('complete'))?.waitingGatewayIds).toEqual(['lacks']);
  });
});
