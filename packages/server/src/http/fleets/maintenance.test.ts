/** Windows of maintenance from the configuration of a fleet to the run that waits. */
import { endpoints } from '@dstack/contract/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertInstances } from '../testing/services.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const path = (call: string) => `/api/project/main/fleets/${call}`;
const spec = (maintenance?: object) => ({
  configuration: { type: 'fleet', name: 'pool', nodes: '0..2', maintenance },
  profile: { name: 'default' },
});
const plan = (wanted: object) => server.call(path('get_plan'), { spec: wanted });
const apply = (wanted: object, current_resource: unknown = null) =>
  server.call(path('apply'), { plan: { spec: wanted, current_resource }, force: false });

/** On for the next hour at least, whatever the time of the server is. */
function presentWindow() {
  const started = new Date(server.deps.context().now / 1000 - 30 * 60_000);
  const schedule = `${started.getUTCMinutes()} ${started.getUTCHours()} * * *`;
  return { schedule, duration: '2h' };
}

describe('the maintenance of a fleet', () => {
  it('is applied in place, is listed, and is refused if it leaves no time for work', async () => {
    const created = await apply(spec());
    expect(created.body.maintenance).toBeUndefined();
    const planned = await plan(spec(presentWindow()));
    expect(planned.body.action).toBe('update');
    const changed = await apply(spec(presentWindow()), created.body);
    expect(endpoints['fleets.apply'].response.parse(changed.body)).toEqual(changed.body);
    expect(changed.body).toMatchObject({
      spec: { configuration: { maintenance: { duration: 7200, lead: 3600 } } },
      maintenance: { state: 'on' },
    });
    const { starts_at, ends_at } = changed.body.maintenance;
    expect(Date.parse(ends_at) - Date.parse(starts_at)).toBe(7200_000);
    const { body: list } = await server.call(path('list'), {});
    expect(list).toMatchObject([{ name: 'pool', maintenance: { state: 'on' } }]);
    const always = await apply(spec({ schedule: '0 * * * *', duration: '1h' }), changed.body);
    expect(always.status).toBe(400);
    expect(JSON.stringify(always.body)).toContain('leaves no time between its windows');
    const wrong = await apply(spec({ schedule: 'daily', duration: '1h' }), changed.body);
    expect(wrong.status).toBe(422);
  });

  it('keeps a plan from its instances, with the cause', async () => {
    const [instanceId = ''] = await insertInstances(server, 1);
    const view = await server.store.instances.byId(instanceId);
    const fleet = (await server.store.fleets.byId(view?.instance.fleetId ?? ''))?.fleet;
    if (!fleet) throw new Error('no fleet');
    const maintenance = { ...presentWindow(), schedule: [presentWindow().schedule] };
    const configuration = {
      ...fleet.spec.configuration,
      maintenance: { ...maintenance, duration: 7200, lead: 3600 },
    };
    await server.store.engine.apply([
      {
        ...{ type: 'fleet.update', id: fleet.id, version: fleet.version },
        set: { spec: { ...fleet.spec, configuration } },
      },
    ]);
    const run = { type: 'task', commands: ['true'], fleets: [fleet.name] };
    const { body } = await server.call('/api/project/main/runs/get_plan', {
      run_spec: { run_name: 'train', configuration: run, profile: { name: 'default' } },
    });
    expect(body.outlook).toBe('waits');
    expect(body.notes.join()).toMatch(/in maintenance from .* UTC to .* UTC/);
  });
});
