import { once } from 'node:events';
import { createServer } from 'node:http';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { closedPort, json, ProxiedServices } from '../testing/proxied-services.ts';
import { serveAt, submitService } from '../testing/services.ts';

let proxy: ProxiedServices;
const tcpApps: Server[] = [];
beforeAll(async () => {
  proxy = await ProxiedServices.start();
});
afterAll(async () => {
  await proxy.close();
  for (const app of tcpApps) app.close();
});

/** A service whose app calls `onRequest` with each connection once it has received a request. */
async function tcpService(name: string, onRequest: (socket: Socket) => void): Promise<void> {
  const app = createTcpServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => onRequest(socket));
  });
  tcpApps.push(app.listen(0, '127.0.0.1'));
  await once(app, 'listening');
  await proxy.service(name, {}, [(app.address() as AddressInfo).port]);
}

describe('a service that cannot answer', () => {
  const notFound = (name: string) => ({ detail: `Service main/${name} not found` });

  it('is not found if it does not exist, or the caller may not know of it', async () => {
    await proxy.service('idle', {}, [null]);
    for (const name of ['nosuch', 'idle']) {
      for (const authorization of ['', 'Bearer wrong']) {
        const answer = await proxy.get(`${name}/x`, { headers: { authorization } });
        expect([answer.status, await answer.json()]).toEqual([404, notFound(name)]);
      }
    }
    const answer = await proxy.get('nosuch/x');
    expect([answer.status, await answer.json()]).toEqual([404, notFound('nosuch')]);
  });

  it('is requested at every other replica if one accepts no connection, whatever the method', async () => {
    const ports = [await closedPort(), await closedPort(), proxy.apps[0]?.port ?? 0];
    await proxy.service('halved', {}, ports);
    for (let i = 0; i < 6; i++) {
      const answer = await proxy.get('halved/echo', { method: 'POST', body: 'once' });
      expect((await json(answer)).body).toBe('once');
      const socket = proxy.socket('main/halved/ws');
      await once(socket, 'message');
      socket.terminate();
    }
  });

  it('gets some time to listen when it has just started', async () => {
    const port = await closedPort();
    const { id } = await submitService(proxy.server, 'young', {});
    await serveAt(proxy.server, id, [port], proxy.instances, proxy.server.deps.context().now);
    const refusals = proxy.refused;
    const answer = proxy.get('young/x');
    const socket = proxy.socket('main/young/ws');
    while (proxy.refused < refusals + 2) await new Promise((resolve) => setImmediate(resolve));
    const app = createServer((_request, response) => response.end('here'));
    const sockets = new WebSocketServer({ server: app });
    app.listen(port, '127.0.0.1');
    await once(socket, 'open');
    expect(await (await answer).text()).toBe('here');
    socket.terminate();
    sockets.close();
    app.closeAllConnections();
    app.close();
  });

  it('is a bad gateway if no replica accepts a connection', async () => {
    await proxy.service('dead', {}, [await closedPort(), await closedPort()]);
    const answer = await proxy.get('dead/x');
    const { detail, code } = await json(answer);
    expect([answer.status, code]).toEqual([502, 'connection_refused']);
    expect(detail).toMatch(
      /^Service main\/dead does not answer: no program listens at port \d+ of/,
    );
    const socket = proxy.socket('main/dead/ws');
    const [, response] = await once(socket, 'unexpected-response');
    expect(response.statusCode).toBe(502);
    socket.on('error', () => {});
    socket.terminate();
  });

  it('is retried only for requests that may be repeated', async () => {
    const before = proxy.apps.map((app) => app.requests);
    const count = () =>
      proxy.apps.reduce((sum, app, i) => sum + app.requests - (before[i] ?? 0), 0);
    const dropped = await proxy.get('web/drops');
    expect([dropped.status, (await json(dropped)).code]).toEqual([502, 'connection_broken']);
    expect(count()).toBe(2);
    expect((await proxy.get('web/drops', { method: 'POST', body: 'x' })).status).toBe(502);
    expect(count()).toBe(3);
  });

  it('is requested for a WebSocket at another replica if one breaks the connection', async () => {
    const rude = createTcpServer((socket) => socket.once('data', () => socket.destroy()));
    rude.listen(0, '127.0.0.1');
    await once(rude, 'listening');
    const { port } = rude.address() as AddressInfo;
    await proxy.service('rude', {}, [port, proxy.apps[0]?.port ?? 0]);
    for (let i = 0; i < 4; i++) {
      const socket = proxy.socket('main/rude/ws');
      await once(socket, 'message');
      socket.terminate();
    }
    rude.close();
  });

  it('times out', async () => {
    const answer = await proxy.get('web/silent');
    expect([answer.status, await answer.json()]).toEqual([
      504,
      { detail: 'Timed out requesting upstream' },
    ]);
  });

  it('times out for a WebSocket too', async () => {
    await tcpService('mute', () => {});
    const socket = proxy.socket('main/mute/ws');
    socket.on('error', () => {});
    const [, response] = await once(socket, 'unexpected-response');
    expect(response.statusCode).toBe(504);
    socket.terminate();
  });

  it('that declines a WebSocket with half an answer gets its connection closed', async () => {
    const half = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nhalf';
    await tcpService('half', (socket) => socket.write(half, () => socket.destroy()));
    const socket = proxy.socket('main/half/ws');
    socket.on('error', () => {});
    const [, response] = await once(socket, 'unexpected-response');
    expect(response.statusCode).toBe(403);
    await expect(text(response)).rejects.toThrow();
  });

  it('that breaks off its answer cuts the client’s answer too', async () => {
    const answer = await proxy.get('web/dies');
    expect(answer.status).toBe(200);
    await expect(answer.text()).rejects.toThrow();
  });

  it('is no longer used after its replicas have changed', async () => {
    const [one = 0, two = 0] = proxy.apps.map((app) => app.port);
    const { id } = await proxy.service('moving', {}, [one, null]);
    expect(await (await proxy.get('moving/x')).text()).toBe('one /x');
    await serveAt(proxy.server, id, [null, two], proxy.instances);
    proxy.server.services.changed(id);
    expect(await (await proxy.get('moving/x')).text()).toBe('two /x');
  });
});
