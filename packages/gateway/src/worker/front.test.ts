import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { expect, it, vi } from 'vitest';
import { Front, type FrontOptions } from './front.ts';

const service = { https: true, route: { projectName: 'main', runName: 'web' } };

/** Opens a WebSocket over plain HTTP or TLS; returns the client's answer and whether the app received the request. */
async function opened(scheme: 'http' | 'https') {
  const proxy = { admit: async () => ({}), upgrade: vi.fn() };
  const front = new Front({
    services: { ofHost: () => ({ service, prefix: '', rest: '/chat?a=1' }) },
    ...{ proxy, models: {}, httpsPort: () => 8443, generation: () => null, log: {} },
  } as unknown as FrontOptions);
  const headers = { host: 'web.apps.test:8080', 'x-dstack-gateway-scheme': scheme };
  const request = { method: 'GET', url: '/chat?a=1', headers, socket: {} };
  const socket = new PassThrough();
  await front.upgrade(request as unknown as IncomingMessage, socket, Buffer.alloc(0));
  return { text: String(socket.read() ?? ''), asks: proxy.upgrade.mock.calls.length };
}

it('a WebSocket to a service with https is redirected like other requests over plain HTTP', async () => {
  const { text, asks } = await opened('http');
  expect(text).toMatch(/^HTTP\/1\.1 301 Moved Permanently\r\n/);
  expect(text).toContain('\r\nLocation: https://web.apps.test:8443/chat?a=1\r\n');
  expect(asks).toBe(0);
});

it('a WebSocket to a service with https is opened over TLS', async () => {
  expect(await opened('https')).toEqual({ text: '', asks: 1 });
});
