import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  const spec = {
    configuration: { type: 'fleet', name: 'pool', nodes: 1 },
    profile: { name: 'default' },
  };
  await server.call('/api/project/main/fleets/apply', { plan: { spec }, force: false });
});
afterAll(() => server.close());

async function instance() {
  const [view] = await server.store.instances.list({ projectIds: null });
  if (!view) throw new Error('the fleet has no instance');
  return view.instance;
}

describe('the health of an instance', () => {
  it('reports what is wrong, by a key that healthy ones do not have', async () => {
    const { id, version } = await instance();
    const path = '/api/project/main/instances/get';
    const before = await server.call(path, { id });
    expect(before.body.health_status).toBe('healthy');
    expect(before.body).not.toHaveProperty('health_message');
    const set = { health: 'failure', healthMessage: 'gpu: GPU 1 is lost' } as const;
    await server.store.engine.apply([{ type: 'instance.update', id, version, set }]);
    expect((await server.call(path, { id })).body).toMatchObject({
      health_status: 'failure',
      health_message: 'gpu: GPU 1 is lost',
    });
  });

  it('has a history, newest first, with the findings of each check', async () => {
    const { id: instanceId } = await instance();
    const event = {
      ...{ timestamp: '2026-11-24T12:00:00Z', status: 'failure', message: 'gpu: GPU 1 is lost' },
    };
    const host = {
      connected: true,
      since: 0,
      facts: null,
      executor: null,
      error: null,
      failed: false,
    };
    await server.store.hosts.save({ id: 'h', ...host });
    await server.store.hosts.saveHealth({ hostId: 'h', checks: [], since: 1, reportedAt: 1 }, [
      { ...{ id: 'a', instanceId, status: 'healthy', response: '{"events":[]}', collectedAt: 1 } },
      {
        ...{ id: 'b', instanceId, status: 'failure', collectedAt: 2 },
        response: JSON.stringify({ events: [event], checks: [] }),
      },
    ]);
    const answer = await server.call('/api/project/main/instances/get_instance_health_checks', {
      ...{ fleet_name: 'pool', instance_num: 0 },
    });
    expect(answer.body.health_checks).toEqual([
      { collected_at: '1970-01-01T00:00:00.000002Z', status: 'failure', events: [event] },
      { collected_at: '1970-01-01T00:00:00.000001Z', status: 'healthy', events: [] },
    ]);
  });
});
