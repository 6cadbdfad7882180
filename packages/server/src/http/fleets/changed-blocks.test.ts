import { endpoints } from '@dstack/contract/api';
import type { InstanceRecord } from '@dstack/core';
import { provisioningDataFor } from '@dstack/core/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fleetHostReader } from '../../capacity/fleet-hosts.ts';
import { LOCAL_OFFER } from '../testing/offers.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const KEY = { public: 'ssh-ed25519 AAAA', private: '-----BEGIN OPENSSH PRIVATE KEY-----secret' };
const OFFER = { ...LOCAL_OFFER, backend: 'remote', region: 'remote' } as const;
const { cpus } = OFFER.instance.resources;

const lab = (name: string, hosts: unknown[], more: object = {}) => ({
  configuration: {
    ...{ type: 'fleet', name, ...more },
    ssh_config: { user: 'root', ssh_key: KEY, hosts },
  },
  configuration_path: 'fleet.dstack.yml',
  profile: { name: 'default' },
});
const path = (call: string) => `/api/project/main/fleets/${call}`;
const plan = (spec: object) => server.call(path('get_plan'), { spec });
const apply = (spec: object, current_resource: unknown = null) =>
  server.call(path('apply'), {
    plan: { spec, current_resource },
    force: current_resource === null,
  });

/** A fleet of one host that is in service. */
async function started(name: string, hostname: string, patch: Partial<InstanceRecord> = {}) {
  const { body } = await apply(lab(name, [hostname]));
  const [{ id }] = body.instances;
  const { version = 0 } = (await server.store.instances.byId(id))?.instance ?? {};
  const provisioningData = provisioningDataFor(OFFER, hostname);
  const set = { status: 'idle', offer: OFFER, provisioningData, ...patch } as const;
  await server.store.engine.apply([{ type: 'instance.update', id, version, set }]);
  return id as string;
}

const instanceOf = async (name: string) =>
  (await server.call(path('get'), { name })).body.instances[0];

it('an idle host is divided anew at once, together with another price', async () => {
  const id = await started('free', '10.8.0.1');
  const spec = lab('free', [{ hostname: '10.8.0.1', blocks: 2, price: 3 }]);
  const planned = await plan(spec);
  expect(planned.body).toMatchObject({ action: 'update' });
  expect(planned.body).not.toHaveProperty('notes');
  expect((await apply(spec, planned.body.current_resource)).status).toBe(200);
  expect(await instanceOf('free')).toMatchObject({ id, total_blocks: 2, price: 3 });
  expect(await instanceOf('free')).not.toHaveProperty('next_blocks');
});

it('the blocks of all hosts of a fleet do not change those of a host that has its own', async () => {
  await started('common', '10.8.0.2');
  await apply(lab('common', ['10.8.0.2'], { blocks: 2 }));
  expect(await instanceOf('common')).toMatchObject({ total_blocks: 2 });
  const own = [{ hostname: '10.8.0.2', blocks: 'auto' }];
  await apply(lab('common', own, { blocks: 2 }));
  await apply(lab('common', own, { blocks: 1 }));
  expect(await instanceOf('common')).toMatchObject({ total_blocks: cpus });
});

it('a used host keeps its blocks, and the plan and the lists say when it has the new ones', async () => {
  await started('used', '10.8.0.3', { status: 'busy', busyBlocks: 1 });
  const spec = lab('used', ['10.8.0.3'], { blocks: 2 });
  const planned = await plan(spec);
  expect(endpoints['fleets.get_plan'].response?.parse(planned.body)).toEqual(planned.body);
  expect(planned.body).toMatchObject({
    action: 'update',
    notes: [expect.stringMatching(/^used-0 gets .* once no job .*`dstack instance cordon used-0`/)],
  });
  expect((await apply(spec, planned.body.current_resource)).status).toBe(200);
  const waiting = { status: 'busy', total_blocks: 1, busy_blocks: 1, next_blocks: 2 };
  expect(await instanceOf('used')).toMatchObject(waiting);
  const { body: listed } = await server.call('/api/instances/list', { project_names: ['main'] });
  expect(listed).toContainEqual(expect.objectContaining({ name: 'used-0', ...waiting }));
});

it('blocks that do not divide a host of the fleet are refused, planned or not', async () => {
  await started('odd', '10.8.0.4');
  const spec = lab('odd', [{ hostname: '10.8.0.4', blocks: cpus + 1 }]);
  const { body: current } = await server.call(path('get'), { name: 'odd' });
  const why = `Host 10.8.0.4 (odd-0) cannot be divided: ${cpus} CPUs and 0 GPUs do not divide by ${cpus + 1}`;
  for (const answer of [await plan(spec), await apply(spec, current), await apply(spec)]) {
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(why)]);
  }
  expect(await instanceOf('odd')).toMatchObject({ total_blocks: 1 });
});

it('hosts behind one name that differ in their port have their own blocks', async () => {
  const hosts = [
    { hostname: '10.8.0.5', port: 2201, blocks: 2 },
    { hostname: '10.8.0.5', port: 2202, blocks: 4 },
  ];
  const { body } = await apply(lab('behind', hosts));
  const read = fleetHostReader(server.store);
  const found = body.instances.map(({ id }: { id: string }) => read(id));
  expect(await Promise.all(found)).toMatchObject([{ blocks: 2 }, { blocks: 4 }]);
});
