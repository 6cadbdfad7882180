import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProxiedServices } from '../testing/proxied-services.ts';

let proxy: ProxiedServices;
beforeAll(async () => {
  proxy = await ProxiedServices.start();
});
afterAll(() => proxy.close());

const policy = (answer: Response) => answer.headers.get('content-security-policy');

describe('responses of an app on the API’s origin', () => {
  it('are isolated from it, whatever headers the app sends', async () => {
    expect(policy(await proxy.get('web/x'))).toBe('sandbox');
    const own = await proxy.get('web/own-policy');
    expect(policy(own)?.split(', ')).toEqual([
      'sandbox allow-scripts allow-same-origin',
      'sandbox',
    ]);
    expect(own.headers.get('clear-site-data')).toBeNull();
  });

  it('set cookies for the service alone', async () => {
    const path = '/proxy/services/main/web/';
    const set = (await proxy.get('web/echo')).headers.getSetCookie();
    expect(set).toEqual([`a=1; Path=${path}`, `b=2; Path=${path}`]);
    const policies = await proxy.get('web/own-policy');
    expect(policies.headers.getSetCookie()).toEqual([`c=3; Path=${path}`]);
  });

  it('set none with a WebSocket, and are isolated if they decline one', async () => {
    const socket = proxy.socket('main/web/ws-cookies');
    const [response] = await once(socket, 'upgrade');
    expect(response.headers['set-cookie']).toEqual(['d=4; Path=/proxy/services/main/web/']);
    socket.on('error', () => {});
    socket.terminate();
    const declined = proxy.socket('main/web/no-sockets');
    const [, answer] = await once(declined, 'unexpected-response');
    expect(answer.headers['content-security-policy']).toBe('sandbox');
    declined.on('error', () => {});
    declined.terminate();
  });
});

describe('all responses under /proxy', () => {
  it.each([
    ['services/main/web/x', 403],
    ['services/main/nosuch/x', 404],
    ['services/main/web', 308],
    ['services/main', 404],
    ['models/main/models', 403],
    ['models/main/nosuch', 404],
    ['nosuch', 404],
  ])('are isolated: %s', async (path, status) => {
    const answer = await fetch(`${proxy.url}/proxy/${path}`, { redirect: 'manual' });
    expect([answer.status, policy(answer)]).toEqual([status, 'sandbox']);
  });

  it('are isolated for refused WebSockets', async () => {
    const socket = proxy.socket('main/nosuch/ws');
    const [, answer] = await once(socket, 'unexpected-response');
    expect(answer.headers['content-security-policy']).toBe('sandbox');
    socket.on('error', () => {});
    socket.terminate();
  });

  it('require a bearer token: a cookie does not authenticate', async () => {
    const cookie = `token=${proxy.server.token}; Authorization=Bearer ${proxy.server.token}`;
    for (const path of ['services/main/web/x', 'models/main/models']) {
      const answer = await fetch(`${proxy.url}/proxy/${path}`, { headers: { cookie } });
      expect(answer.status).toBe(403);
    }
  });

  it('the API itself is not isolated', async () => {
    const answer = await fetch(`${proxy.url}/healthcheck`);
    expect(policy(answer)).toBeNull();
  });
});
