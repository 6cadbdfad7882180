import { randomUUID } from 'node:crypto';
import { type EndpointName, endpoints } from '@dstack/contract/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { volume } from '../../loops/work/volume.ts';
import { passDeps } from '../testing/pass-deps.ts';
import { startTestServer, type TestAnswer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const path = (action: string) => `/api/project/main/volumes/${action}`;
const configuration = (name: string | null, more: object = {}) => ({
  ...{ type: 'volume', name, backend: 'aws', region: 'eu-west-1', size: '100GB' },
  ...more,
});
const create = (name: string | null, more: object = {}): Promise<TestAnswer> =>
  server.call(path('create'), { configuration: configuration(name, more) });
const pass = (id: string) => volume.work(passDeps(server))(id);

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
    await server.store.volumes.attach({ volumeId: id, instanceId, attachmentData: null });
    const refused = await server.call(path('delete'), { names: ['used'] });
    expect(refused.body.detail[0].msg).toBe('Failed to delete volume used. Volume is in use.');
    await server.store.volumes.detach(id, instanceId);
    expect((await server.call(path('delete'), { names: ['used'] })).status).toBe(200);
  });

  it('are ignored if they do not exist', async () => {
    expect(await pass(randomUUID())).toEqual({ ending: 'done' });
  });
});
