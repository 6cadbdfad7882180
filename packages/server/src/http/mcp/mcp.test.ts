import type { AddressInfo, Socket } from 'node:net';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
let reading: string;

beforeAll(async () => {
  server = await startTestServer();
  const created = { name: 'agent', scope: 'read' };
  const answer = await server.call('/api/project/main/service_tokens/create', created);
  reading = answer.body.token;
});
afterAll(() => server.close());

const ACCEPT = { accept: 'application/json, text/event-stream' };

function mcp(method: string, token: string | null, path = '/mcp') {
  const body = { jsonrpc: '2.0', id: 1, method, params: {} };
  return server.call(path, body, { token, headers: ACCEPT });
}

describe('/mcp', () => {
  it('refuses callers without a token, and unknown tokens', async () => {
    expect((await mcp('tools/list', null)).status).toBe(401);
    expect((await mcp('tools/list', 'nonsense')).status).toBe(403);
  });

  it('does not accept the cookie of a browser', async () => {
    const cookie = 'dstack_session=x';
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
    const answer = await server.call('/mcp', body, { token: null, headers: { ...ACCEPT, cookie } });
    expect(answer.status).toBe(401);
  });

  it('lists its tools to a program that may only read', async () => {
    const { status, text } = await mcp('tools/list', reading);
    expect(status).toBe(200);
    expect(text).toContain('"name":"get_logs"');
  });

  it('refuses a project that the token is not for', async () => {
    const answer = await mcp('tools/list', reading, '/mcp?project=other');
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('This token is valid in project main only, not in other');
  });

  it('refuses a request with many calls', async () => {
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
    const options = { token: reading, headers: ACCEPT };
    const answer = await server.call('/mcp', Array(21).fill(call), options);
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('One request may have 20 calls; this one has 21');
  });

  it('carries out a limited number of calls of one user at the same time', async () => {
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} };
    const many = () =>
      server.call('/mcp', Array(20).fill(call), { token: reading, headers: ACCEPT });
    const statuses = (await Promise.all(Array.from({ length: 6 }, many))).map(
      ({ status }) => status,
    );
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    expect((await many()).status).toBe(200);
  });

  it('lists events of the named project only, for programs and users', async () => {
    const call = (token: string, path: string) => {
      const params = { name: 'list_events', arguments: {} };
      const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params };
      return server.call(path, body, { token, headers: ACCEPT });
    };
    await server.app.listen({ host: '127.0.0.1', port: 0 });
    const own = await call(reading, '/mcp');
    expect(own.text).toContain('project main');
    const none = await call(server.token, '/mcp?project=nosuch');
    expect(none.text).not.toContain('project main');
    expect(none.text).toContain('"isError":true');
  });

  it('leaves nothing at a connection that a client keeps', async () => {
    const sockets: Socket[] = [];
    server.app.server.on('connection', (socket: Socket) => sockets.push(socket));
    const agent = new Agent({ connections: 1 });
    const { port } = server.app.server.address() as AddressInfo;
    const listeners: number[] = [];
    for (let n = 0; n < 3; n++) {
      const answer = await request(`http://127.0.0.1:${port}/mcp`, {
        ...{ method: 'POST', dispatcher: agent },
        headers: {
          ...ACCEPT,
          authorization: `Bearer ${reading}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }),
      });
      await answer.body.text();
      listeners.push(sockets[0]?.listenerCount('close') ?? 0);
    }
    expect([sockets.length, new Set(listeners).size]).toEqual([1, 1]);
    await agent.close();
  });

  it('refuses a body that is not JSON', async () => {
    const answer = await server.call('/mcp', undefined, {
      token: reading,
      raw: '{',
      method: 'POST',
    });
    expect(answer.status).toBe(422);
  });
});
