import type { PushedRoute } from '@dstack/proxy';
import { expect, it } from 'vitest';
import { PushedRoutes } from './pushed-routes.ts';

const configuration = {
  ...{ type: 'service', auth: true, strip_prefix: true, replicas: { min: 1, max: 1 } },
  mirror: { service: 'shadow', percent: 10, methods: ['GET'] },
};

/** Services in a database, by run; those with `null` are behind a gateway. */
function open(services: Map<string, string | null>) {
  const pushed: string[] = [];
  let reads = 0;
  const view = (id: string, host: string) => ({
    run: { id, name: id, spec: { configuration } },
    projectName: 'main',
    replicas: [{ hostId: host }],
  });
  const visible = () => [...services].flatMap(([id, host]) => (host ? [view(id, host)] : []));
  const store = {
    services: {
      unfinished: async () => visible(),
      byRun: async (id: string) => {
        reads += 1;
        return visible().find(({ run }) => run.id === id) ?? null;
      },
      byName: async () => null,
      isService: async (id: string) => services.has(id),
    },
    hostAccess: { byIds: async () => [] },
  };
  const onRoute = ({ runId, service, hosts }: PushedRoute) =>
    pushed.push(`${runId} ${service ? Object.keys(hosts) : 'ended'}`);
  const log = {};
  const routes = new PushedRoutes({ store, local: null, onRoute, log } as never);
  /** After all readings before. */
  const settled = async () => {
    await routes.all();
    return pushed.splice(0);
  };
  return { services, routes, settled, reads: () => reads };
}

it('pushes what has changed, also without a notification', async () => {
  const { services, routes, settled } = open(new Map([['a', 'h1']]));
  expect(await settled()).toEqual(['a h1']);
  expect(await settled()).toEqual([]);
  routes.changed('a');
  expect(await settled()).toEqual(['a h1']);
  services.set('a', 'h2').set('b', 'h1');
  expect(await settled()).toEqual(['a h2', 'b h1']);
  services.delete('a');
  expect(await settled()).toEqual(['a ended']);
});

it('does not read runs of other kinds again, but services that may leave their gateway', async () => {
  const { services, routes, settled, reads } = open(new Map([['gated', null]]));
  for (let n = 0; n < 3; n++) {
    routes.changed('task');
    routes.changed('gated');
    await settled();
  }
  expect(reads()).toBe(4);
  services.set('gated', 'h1');
  routes.changed('gated');
  expect(await settled()).toEqual(['gated h1']);
});

it('pushes what a request needs, and nothing of what the service runs', async () => {
  const { routes } = open(new Map([['a', 'h1']]));
  const [pushed] = await routes.all();
  expect(pushed?.service?.route).toMatchObject({
    ...{ runId: 'a', projectName: 'main', auth: true },
    mirror: { service: 'shadow', percent: 10 },
  });
  expect(pushed?.service).not.toHaveProperty('spec');
});
