import { expect, it } from 'vitest';
import { away, linked } from '../testing/index.ts';
import { PushedServices } from './pushed-services.ts';

const counts = { add: async () => {} };

const service = (runName: string) =>
  ({
    ...{ projectId: 'p', served: null },
    route: { runId: runName, runName, projectName: 'Main', replicas: [] },
  }) as never;

it('finds services as they were pushed, and asks the server only for others', async () => {
  const asked: unknown[] = [];
  const hosts = { host: { kind: 'server' } } as const;
  const unknown = { runId: 'new', service: service('new'), hosts };
  const route = (name: { readonly runName: string }) => {
    asked.push(name);
    return name.runName === 'new' ? unknown : null;
  };
  const { link, connect } = linked({ route });
  const found: unknown[] = [];
  const services = new PushedServices({ link, onHosts: (more) => found.push(more), counts });
  const server = connect();
  services.table.put({ runId: 'web', service: service('web'), hosts: {} });
  expect(await services.byName('MAIN', 'web')).toMatchObject({ runId: 'web' });
  expect(await services.byName('main', 'other')).toBeNull();
  expect(asked).toEqual([{ projectName: 'main', runName: 'other' }]);
  expect(await services.byName('main', 'new')).toMatchObject({ runId: 'new' });
  expect(found).toEqual([hosts]);
  await away(link, server);
  expect(await services.byName('main', 'other')).toBeNull();
  services.table.put({ runId: 'web', service: null, hosts: {} });
  expect(await services.byName('main', 'web')).toBeNull();
});

it('counts rate limits alone while there is no server', async () => {
  const services = new PushedServices({ link: linked({}).link, onHosts() {}, counts });
  const take = () => services.takeSharedRate('key', { rps: 1, burst: 1 }, 'web');
  expect([await take(), await take(), (await take()) > 0]).toEqual([0, 0, true]);
});
