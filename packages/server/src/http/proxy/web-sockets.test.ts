import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { webSocketConformance } from '@dstack/proxy/testing';
import { ProxiedServices } from '../testing/proxied-services.ts';

webSocketConformance('the proxy of the server', async (app) => {
  const services = await ProxiedServices.start();
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  const { port } = app.address() as AddressInfo;
  await services.service('sockets', {}, [port]);
  return {
    url: `${services.url.replace('http', 'ws')}/proxy/services/main/sockets`,
    headers: { authorization: `Bearer ${services.server.token}` },
    close: () => services.close(),
  };
});
