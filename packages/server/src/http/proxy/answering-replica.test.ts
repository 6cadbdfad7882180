import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ProxiedServices } from '../testing/proxied-services.ts';

let proxy: ProxiedServices;
const app = createServer((_request, response) => void response.end('ok'));

beforeAll(async () => {
  proxy = await ProxiedServices.start();
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
});
afterAll(async () => {
  await proxy.close();
  app.closeAllConnections();
  app.close();
});

it('the latest requests name the job that answered, and none if there was no answer', async () => {
  const { port } = app.address() as AddressInfo;
  const { id, jobs } = await proxy.service('named', { auth: false }, [port]);
  expect((await proxy.get('named/ok')).status).toBe(200);
  app.closeAllConnections();
  app.close();
  expect((await proxy.get('named/gone', { method: 'POST' })).status).toBeGreaterThanOrEqual(502);
  const { records } = proxy.server.services.accessSince(id, null);
  expect(records.map(({ path, job_id }) => [path, job_id])).toEqual([
    ['/ok', jobs[0]?.id],
    ['/gone', null],
  ]);
});
