import { once } from 'node:events';
import type { AccessPage } from '@dstack/proxy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunChanges } from '../../loops/run-changes.ts';
import { ProxiedServices } from '../testing/proxied-services.ts';
import { streamRoutes } from './routes.ts';

/** Requests that another process has answered. */
const elsewhere = new Map<string, AccessPage>();

let proxy: ProxiedServices;
beforeAll(async () => {
  proxy = await ProxiedServices.start({}, (server) =>
    streamRoutes(server.app, {
      ...server.deps,
      logStore: server.logs,
      changes: new RunChanges(),
      accessElsewhere: async () => elsewhere,
    }),
  );
});
afterAll(() => proxy.close());

const url = (service: string, query = '') =>
  `${proxy.url}/api/project/main/services/${service}/access${query}`;
const headers = () => ({ authorization: `Bearer ${proxy.server.token}` });

async function open(service: string) {
  const disconnected = new AbortController();
  const { body } = await fetch(url(service), { headers: headers(), signal: disconnected.signal });
  const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  async function next() {
    while (!text.includes('\n\n')) text += (await reader?.read())?.value ?? '';
    const end = text.indexOf('\n\n');
    const [, event = '', data = ''] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
    text = text.slice(end + 2);
    return { event, data: JSON.parse(data) };
  }
  return {
    next,
    /** The next message with requests: a client has its answer before the request has ended here. */
    async requests() {
      let message = await next();
      while (message.data.length === 0) message = await next();
      return message;
    },
    close: () => disconnected.abort(),
  };
}

/** Those of one request at least. */
async function recordsOf(service: string) {
  const stream = await open(service);
  const { data } = await stream.requests();
  stream.close();
  return data;
}

describe('the requests of a service', () => {
  it('are streamed as they end, without their queries', async () => {
    await proxy.get('web/first?token=secret');
    const stream = await open('web');
    const { event, data } = await stream.requests();
    expect(event).toBe('requests');
    expect(data).toEqual([
      {
        ...{ time: expect.any(Number), ms: expect.any(Number), request_id: expect.any(String) },
        ...{ method: 'GET', path: '/first', status: 200, user: 'admin', address: '127.0.0.1' },
        job_id: expect.any(String),
      },
    ]);
    await proxy.get('web/refuses', { method: 'POST' });
    const more = await stream.next();
    expect(more.data).toMatchObject([{ method: 'POST', path: '/refuses', status: 413 }]);
    stream.close();
  });

  it('include WebSockets when they are closed, and those to models', async () => {
    await proxy.service('parrot', { model: 'parrot', probes: [] });
    const stream = await open('parrot');
    expect((await stream.next()).data).toEqual([]);
    const socket = proxy.socket('main/parrot/chat?key=secret');
    await once(socket, 'open');
    socket.close();
    expect((await stream.next()).data).toMatchObject([
      { method: 'GET', path: '/chat', status: 101, user: 'admin', address: '127.0.0.1' },
    ]);
    const asked = await fetch(`${proxy.url}/proxy/models/main/v1/chat/completions`, {
      method: 'POST',
      headers: headers(),
      body: JSON.stringify({ model: 'parrot', messages: [] }),
    });
    await asked.arrayBuffer();
    const [record] = (await stream.next()).data;
    expect(record).toMatchObject({
      ...{ method: 'POST', path: '/v1/chat/completions', status: asked.status, user: 'admin' },
      ...{ address: '127.0.0.1', request_id: asked.headers.get('x-request-id') },
    });
    stream.close();
  });

  it('include those of other processes, with the number of those that are missing', async () => {
    const [record] = await recordsOf('web');
    elsewhere.set('worker', { records: [{ ...record, path: '/other' }], next: 9, skipped: 4 });
    const answer = await fetch(url('web', '?follow=false'), { headers: headers() });
    const text = await answer.text();
    elsewhere.clear();
    expect(text).toMatch(/^event: skipped\ndata: 4\n\nevent: requests\n/);
    expect(text).toContain('"/other"');
  });

  let stranger = {};

  beforeAll(async () => {
    const { call } = proxy.server;
    await call('/api/users/create', { username: 'eve', global_role: 'user' });
    const { body } = await call('/api/users/get_user', { username: 'eve' });
    stranger = { authorization: `Bearer ${body.creds.token}` };
  });

  it('include those at a gateway, for members, until the service has ended', async () => {
    const { id } = await proxy.service('edge');
    const { engine } = proxy.server.deps.store;
    const change = async (set: object) => {
      const view = await proxy.server.deps.store.runs.byId(id);
      await engine.apply([
        { type: 'run.update', id, version: view?.run.version ?? 0, set: set as never },
      ]);
    };
    await change({ gatewayId: 'g1' });
    const [record] = await recordsOf('web');
    elsewhere.set('worker', { records: [{ ...record, path: '/at-gateway' }], next: 1, skipped: 0 });
    const answer = await fetch(url('edge', '?follow=false'), { headers: headers() });
    expect(await answer.text()).toContain('"/at-gateway"');
    elsewhere.clear();
    expect((await fetch(url('edge'), { headers: stranger })).status).toBe(403);
    await change({ status: 'done' });
    expect((await fetch(url('edge'), { headers: headers() })).status).toBe(404);
  });

  it('are for members of the project, and of services that run', async () => {
    expect((await fetch(url('web'), { headers: stranger })).status).toBe(403);
    expect((await fetch(url('web'))).status).toBe(401);
    expect((await fetch(url('nothing'), { headers: headers() })).status).toBe(404);
    expect((await fetch(url('web', '?follow=no'), { headers: headers() })).status).toBe(400);
  });
});
