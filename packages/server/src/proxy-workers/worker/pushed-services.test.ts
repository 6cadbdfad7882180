import { away, linked } from '@dstack/proxy/testing';
import { expect, it } from 'vitest';
import { PushedServices } from './pushed-services.ts';

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
  const services = new PushedServices(link, (more) => found.push(more));
  const server = connect();
  services.put({ runId: 'web', service: service('web'), hosts: {} });
  expect(await services.byName('MAIN', 'web')).toMatchObject({ runId: 'web' });
  expect(await services.byName('main', 'other')).toBeNull();
  expect(asked).toEqual([{ projectName: 'main', runName: 'other' }]);
  expect(await services.byName('main', 'new')).toMatchObject({ runId: 'new' });
  expect(found).toEqual([hosts]);
  await away(link, server);
  expect(await services.byName('main', 'other')).toBeNull();
  services.put({ runId: 'web', service: null, hosts: {} });
  expect(await services.byName('main', 'web')).toBeNull();
});

it('delivers requests that were counted without a server, as one batch until it is confirmed', async () => {
  const received: unknown[] = [];
  const { link, connect } = linked({ count: (counted) => void received.push(counted) });
  const services = new PushedServices(link);
  const second = Math.floor(Date.now() / 1000);
  const signals = [{ kind: 'run', id: 'web' }] as const;
  await services.addRequests('', [{ runId: 'web', second, requests: 2 }], { signals });
  await services.addRequests('', [{ runId: 'web', second, requests: 3 }]);
  await services.addRequests('', [{ runId: 'web', second: second - 3600, requests: 9 }]);
  await away(link, connect());
  while (received.length === 0) await new Promise((resolve) => setImmediate(resolve));
  connect();
  while (received.length === 1) await new Promise((resolve) => setImmediate(resolve));
  const batch = expect.any(String);
  const counts = [{ runId: 'web', second, requests: 5 }];
  expect(received[0]).toEqual({ batch, counts, wakes: ['web'] });
  expect(received[1]).toEqual(received[0]);
  await services.addRequests('', [{ runId: 'web', second, requests: 1 }]);
  expect(received[2]).not.toMatchObject({ batch: (received[0] as { batch: string }).batch });
});

it('delivers what is counted while the server still stores an earlier count', async () => {
  const received: unknown[] = [];
  const storing = Promise.withResolvers<void>();
  const count = async (counted: { readonly wakes: readonly string[] }) => {
    received.push(counted.wakes);
    if (received.length === 1) await storing.promise;
  };
  const { link, connect } = linked({ count });
  const services = new PushedServices(link);
  connect();
  const add = (runId: string) => {
    const counts = [{ runId, second: Math.floor(Date.now() / 1000), requests: 1 }];
    return services.addRequests('', counts, { signals: [{ kind: 'run', id: runId }] });
  };
  const first = add('web');
  while (received.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await Promise.all([add('other'), add('web')]);
  storing.resolve();
  await first;
  expect(received).toEqual([['web'], ['other', 'web']]);
});

it('counts rate limits alone while there is no server', async () => {
  const services = new PushedServices(linked({}).link);
  const take = () => services.takeSharedRate('key', { rps: 1, burst: 1 }, 'web');
  expect([await take(), await take(), (await take()) > 0]).toEqual([0, 0, true]);
});
