import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ProxiedServices } from '../testing/proxied-services.ts';

let proxy: ProxiedServices;
const apps: Server[] = [];

/** Returns its port. */
async function start(answer: RequestListener): Promise<number> {
  const app = createServer(answer);
  apps.push(app);
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  return (app.address() as AddressInfo).port;
}

beforeAll(async () => {
  proxy = await ProxiedServices.start();
});
afterAll(async () => {
  await proxy.close();
  for (const app of apps) {
    app.closeAllConnections();
    app.close();
  }
});

it('a replica that answers by 500 at once gets few requests while the others take their time', async () => {
  const slow: RequestListener = (_request, response) => {
    setTimeout(() => response.end('ok'), 20);
  };
  const broken = await start((_request, response) => void response.writeHead(500).end());
  await proxy.service('uneven', { auth: false }, [broken, await start(slow), await start(slow)]);
  const statuses: number[] = [];
  const caller = async () => {
    for (let n = 0; n < 30; n++) statuses.push((await proxy.get('uneven/x')).status);
  };
  await Promise.all(Array.from({ length: 10 }, caller));
  expect(statuses).toHaveLength(300);
  expect(statuses.filter((status) => status === 500).length).toBeLessThan(30);
  const { services } = proxy.server;
  const route = await services.find({ projectName: 'main', runName: 'uneven' });
  expect(route && services.state(route)).toMatchObject({ ejected: 1 });
});

it('a replica that breaks off its answers gets few requests while the others complete theirs', async () => {
  const got = { broken: 0, well: 0 };
  const well: RequestListener = (_request, response) => {
    got.well += 1;
    response.end('ok');
  };
  const broken: RequestListener = (_request, response) => {
    got.broken += 1;
    response.writeHead(200, { 'content-length': 10 });
    response.write('part', () => response.destroy());
  };
  await proxy.service('cut', { auth: false }, [await start(broken), await start(well)]);
  for (let n = 0; n < 60; n++) await proxy.get('cut/x').catch(() => {});
  expect(got.broken).toBeGreaterThan(0);
  expect(got.broken).toBeLessThan(12);
  expect(got.well).toBeGreaterThan(45);
});
