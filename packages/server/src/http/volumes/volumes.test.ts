import { randomUUID } from 'node:crypto';
import type { Backend } from '@dstack/backends';
import { type EndpointName, endpoints } from '@dstack/contract/api';
import type { AttachmentRecord } from '@dstack/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { intentDescriptor } from '../../effects/intents/index.ts';
import { volume } from '../../loops/work/volume.ts';
import { NO_HINTS } from '../testing/offers.ts';
import { passDeps } from '../testing/pass-deps.ts';
import { startTestServer, type TestAnswer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const KEY = { public: 'ssh-ed25519 AAAA', private: '-----BEGIN OPENSSH PRIVATE KEY-----secret' };

const path = (action: string) => `/api/project/main/volumes/${action}`;
const configuration = (name: string | null, more: object = {}) => ({
  ...{ type: 'volume', name, backend: 'aws', region: 'eu-west-1', size: '100GB' },
  ...more,
});
const create = (name: string | null, more: object = {}): Promise<TestAnswer> =>
  server.call(path('create'), { configuration: configuration(name, more) });
const pass = (id: string) => volume.work(passDeps(server))(id);

/** A server whose backends make no volumes. */
const effect = async (key: string) => {
  const { engine } = server.store;
  const intent = await engine.announcedIntent(key);
  if (intent === null) throw new Error(`${key} is not announced`);
  const backends = { find: async () => ({ volumes: null }) as unknown as Backend };
  const options = { store: server.store, backends, serverId: 's' };
  const result = await intentDescriptor(intent.kind).handle(options as never, intent);
  await engine.finishIntent(key, 'failed', result, null);
};

async function events(id: string): Promise<string[]> {
  const request = { target_volumes: [id], ascending: true };
  const answer = await server.call('/api/events/list', request);
  return answer.body.map((event: { message: string }) => event.message);
}

function expectWire(name: EndpointName, body: unknown): void {
  expect(endpoints[name].response?.parse(body)).toEqual(body);
}

describe('volumes', () => {
  it('are submitted, and fail with a reason if no backend can create them', async () => {
    const created = await create('data');
    expectWire('volumes.create', created.body);
    expect(created.body).toMatchObject({ name: 'data', status: 'submitted', external: false });
    await pass(created.body.id);
    const failed = await server.call(path('get'), { name: 'data' });
    const reason = 'Backend aws is not configured in project main';
    expect(failed.body).toMatchObject({ status: 'failed', status_message: reason });
    expect(await events(created.body.id)).toEqual([
      'Volume created. Status: SUBMITTED',
      `Volume status changed SUBMITTED -> FAILED (${reason})`,
    ]);
    expect((await create('data')).body.detail[0].code).toBe('resource_exists');
  });

  it('report a backend that exists but creates no volumes', async () => {
    const creds = { type: 'access_key', access_key: 'a', secret_key: 'b' };
    await server.call('/api/project/main/backends/create', { type: 'aws', creds });
    const { id } = (await create('other', { size: null, volume_id: 'vol-1' })).body;
    await pass(id);
    await effect(`volume.register:${id}:0`);
    await pass(id);
    const failed = await server.call(path('get'), { name: 'other' });
    expect(failed.body).toMatchObject({
      external: true,
      status_message: 'This server cannot register volumes in backend aws',
    });
    const request = { backends_names: ['aws'] };
    expect((await server.call('/api/project/main/backends/delete', request)).status).toBe(200);
  });

  it('require a size or the id of an existing one, and get a name if they have none', async () => {
    expect((await create('none', { size: null })).body.detail[0].msg).toMatch(/`volume_id`/);
    const kept = { volume_id: 'vol-1', auto_cleanup_duration: '1h' };
    expect((await create('kept', kept)).body.detail[0].msg).toMatch(/auto_cleanup_duration/);
    expect((await create(null)).body.name).toMatch(/^[a-z]+-[a-z]+$/);
  });

  it('are marked for deletion and deleted by their next pass', async () => {
    const { id } = (await create('gone')).body;
    expect((await server.call(path('delete'), { names: ['gone', 'nosuch'] })).text).toBe('null');
    expect((await server.call(path('get'), { name: 'gone' })).body.status).toBe('submitted');
    await pass(id);
    const after = await server.call(path('get'), { name: 'gone' });
    expect(after.body.detail[0].code).toBe('resource_not_exists');
    expect((await events(id)).slice(1)).toEqual(['Volume marked for deletion', 'Volume deleted']);
    expect((await create('gone')).status).toBe(200);
  });

  it('cannot be deleted while an instance uses them', async () => {
    const fleet = {
      configuration: { type: 'fleet', name: 'pool', nodes: 1 },
      profile: { name: 'default' },
    };
    const made = await server.call('/api/project/main/fleets/apply', {
      plan: { spec: fleet },
      force: false,
    });
    const { id } = (await create('used')).body;
    const instanceId = made.body.instances[0].id;
    const attachment: AttachmentRecord = {
      ...{ id: randomUUID(), volumeId: id, instanceId, status: 'attached', statusChangedAt: 1 },
      ...{ error: null, attachmentData: null, version: 0 },
    };
    await server.store.engine.apply([{ type: 'attachment.insert', attachment }]);
    const shown = await server.call(path('get'), { name: 'used' });
    expectWire('volumes.get', shown.body);
    expect(shown.body.attachments).toMatchObject([{ instance: { instance_id: instanceId } }]);
    const refused = await server.call(path('delete'), { names: ['used'] });
    expect(refused.body.detail[0].msg).toBe('Failed to delete volume used. Volume is in use.');
    await server.store.engine.apply([{ type: 'attachment.delete', id: attachment.id, version: 0 }]);
    expect((await server.call(path('delete'), { names: ['used'] })).status).toBe(200);
  });

  it('are refused while a run mounts them, with its name', async () => {
    const { id } = (await create('mounted')).body;
    await server.store.engine.apply([
      { type: 'volume.update', id, version: 0, set: { status: 'active' } },
    ]);
    const configuration = { type: 'task', commands: ['true'], volumes: ['mounted:/data'] };
    const submitted = await server.call('/api/project/main/runs/apply', {
      plan: { run_spec: { run_name: 'reader', configuration } },
      force: false,
    });
    const [job] = await server.store.jobs.ofRun(submitted.body.id);
    const jobId = job?.id ?? '';
    const use = { volumeId: id, jobId, mountNum: 0, releasedAt: null };
    await server.store.engine.apply([{ type: 'volume-use.insert', use }]);
    const refused = await server.call(path('delete'), { names: ['mounted'] });
    expect(refused.body.detail[0].msg).toBe(
      'Failed to delete volume mounted. Volume is in use by run reader.',
    );
    await server.store.engine.apply([{ type: 'volume-use.delete', jobId }]);
    expect((await server.call(path('delete'), { names: ['mounted'] })).status).toBe(200);
  });

  it('are ignored if they do not exist', async () => {
    expect(await pass(randomUUID())).toEqual({ ending: 'done' });
  });
});

describe('volumes on hosts', () => {
  const onHost = (place: string, more: object = {}) => ({
    ...{ type: 'volume', name: null, backend: 'kubernetes', region: `ssh:${place}` },
    ...more,
  });
  const createOn = (place: string, more: object = {}) =>
    server.call(path('create'), { configuration: onHost(place, more) });

  it('are Kubernetes volumes for official clients, and directories of hosts inside', async () => {
    const created = await createOn('local');
    expectWire('volumes.create', created.body);
    expect(created.body.configuration).toMatchObject({
      backend: 'kubernetes',
      region: 'ssh:local',
    });
    const view = await server.store.volumes.byId(created.body.id);
    expect(view?.volume).toMatchObject({ backend: 'local', fleetId: null, hostId: null });
  });

  it('lie on an SSH fleet of the project', async () => {
    const apply = (configuration: object) =>
      server.call('/api/project/main/fleets/apply', {
        plan: { spec: { configuration, profile: { name: 'default' } } },
        force: false,
      });
    const ssh_config = { user: 'root', ssh_key: KEY, hosts: ['10.0.0.1'] };
    const fleet = await apply({ type: 'fleet', name: 'gpus', ssh_config });
    const { body } = await createOn('gpus', { availability_zone: 'gpus-0' });
    const view = await server.store.volumes.byId(body.id);
    expect(view?.volume).toMatchObject({ backend: 'remote', fleetId: fleet.body.id });

    const blocked = await server.call('/api/project/main/fleets/delete', { names: ['gpus'] });
    expect(blocked.body.detail[0].msg).toBe(
      `Hosts of fleet gpus hold the data of volumes: ${body.name}. Delete the volumes first`,
    );
    await server.call(path('delete'), { names: [body.name] });
    const [host] = (await server.store.fleets.byId(fleet.body.id))?.instances ?? [];
    const { volume } = (await server.store.volumes.byId(body.id)) ?? {};
    const at = { hostId: host?.id ?? '', statusMessage: 'Deletion failed: disk is read-only' };
    await server.store.volumes.update(body.id, volume?.version ?? 0, at);
    const { version, id: instanceId } = host ?? { version: 0, id: '' };
    await server.store.engine.apply([
      { type: 'instance.update', id: instanceId, version, set: { hostId: instanceId } },
    ]);
    const link = { connected: true, since: 1, facts: null, executor: null, error: null };
    await server.store.hosts.save({ ...link, id: instanceId, failed: false });
    const early = await server.call('/api/project/main/fleets/delete', { names: ['gpus'] });
    expect(early.body.detail[0].msg).toBe(
      `Volumes on hosts of fleet gpus are still being deleted: ${body.name} (${body.name}: Deletion failed: disk is read-only). Try again once they are deleted`,
    );
    await server.store.hosts.save({ ...link, connected: false, id: instanceId, failed: false });
    expect((await server.call('/api/project/main/fleets/delete', { names: ['gpus'] })).status).toBe(
      200,
    );
    const late = await createOn('gpus');
    expect(late.body.detail[0].msg).toBe(
      'Fleet gpus is being deleted: it cannot hold a new volume',
    );
  });

  it.each([
    ['nosuch', {}, 'Fleet nosuch not found'],
    ['pool', {}, 'Fleet pool has no SSH hosts, so it cannot hold volumes'],
    ['local', { claim_name: 'x' }, '`claim_name` and `storage_class_name` are for volumes of'],
    ['local', { availability_zone: 'a' }, "The server's machine has no `availability_zone`"],
  ])('are refused on %s with %j', async (place, more, message) => {
    const { status, body } = await createOn(place, more);
    expect(status).toBe(400);
    expect(body.detail[0].msg).toContain(message);
  });

  it('are refused on the server host for projects that may not use it', async () => {
    const localOff = "the server's machine runs no jobs of this project";
    const closed = await startTestServer(
      {},
      {
        backends: {
          of: async () => [],
          find: async () => null,
          state: async () => ({ abilities: [], localOff, hints: NO_HINTS }),
        },
      },
    );
    const { body } = await closed.call(path('create'), { configuration: onHost('local') });
    expect(body.detail[0].msg).toBe(`Volumes cannot be created there: ${localOff}`);
    await closed.close();
  });
});
