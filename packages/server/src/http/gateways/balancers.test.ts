import type { Backend, GatewayPort } from '@dstack/backends';
import { GatewayConfiguration } from '@dstack/contract/wire';
import { capabilitiesOf } from '@dstack/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { checkGateway } from './plan.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const never = () => Promise.reject(new Error('it is not asked'));
const GATEWAYS: GatewayPort = { create: never, observe: never, release: never, list: never };

async function check(gateways: GatewayPort, more: object): Promise<void> {
  const backend: Backend = {
    ...{ name: 'gcp', capabilities: capabilitiesOf('gcp'), signalsCapacity: false, gateways },
    ...{ offers: never, instances: null, volumes: null, groups: null, check: never },
  };
  const deps = { ...server.deps, backends: { ...server.deps.backends, find: async () => backend } };
  const project = await server.store.projects.byName('main');
  const user = await server.store.users.byName('admin');
  if (!project || !user) throw new Error('the server has no project');
  const configuration = GatewayConfiguration.parse({
    ...{ type: 'gateway', name: 'edge', backend: 'gcp', region: 'us-central1', ...more },
  });
  await checkGateway(deps, { project, user, current: null }, configuration);
}

it('a gateway with a load balancer is refused by a plan where none is made', async () => {
  const balanced = { load_balancer: { type: 'alb' }, certificate: null };
  await expect(check(GATEWAYS, balanced)).rejects.toThrow(
    'This server makes no load balancers in backend gcp yet: leave `load_balancer` out, and each replica has an address of its own',
  );
  await check({ ...GATEWAYS, hasBalancers: true }, balanced);
  await check(GATEWAYS, { certificate: null });
});
