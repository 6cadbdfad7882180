import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { json, ProxiedServices } from '../testing/proxied-services.ts';

let proxy: ProxiedServices;
beforeAll(async () => {
  proxy = await ProxiedServices.start();
  await proxy.service('open', { auth: false });
});
afterAll(() => proxy.close());

const admin = () => `Bearer ${proxy.server.token}`;

/** The headers that the app receives: names in lower case; several values of a name are joined. */
async function seen(path: string, headers: Record<string, string>) {
  const { headers: raw } = await json(await proxy.get(path, { headers }));
  return names(raw);
}

function names(raw: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    raw.flatMap((part, i) => (i % 2 ? [] : [[part.toLowerCase(), raw[i + 1] ?? '']])),
  );
}

async function userWith(name: string): Promise<string> {
  await proxy.server.call('/api/users/create', { username: name, global_role: 'user' });
  const { body } = await proxy.server.call('/api/users/get_user', { username: name });
  return body.creds.token;
}

async function program(name: string, scope: string): Promise<string> {
  const request = { name, scope, expires_in: null };
  const path = '/api/project/main/service_tokens/create';
  return (await proxy.server.call(path, request)).body.token;
}

describe('a service with authentication', () => {
  it('receives the name of its caller, and never the token', async () => {
    const headers = await seen('web/echo', { authorization: admin(), 'X-Dstack-User': 'root' });
    expect(headers).not.toHaveProperty('authorization');
    expect(headers).toMatchObject({ 'x-dstack-user': 'admin' });
  });

  it("receives the name of the owner of a program's token", async () => {
    const authorization = `Bearer ${await program('ci', 'user')}`;
    const headers = await seen('web/echo', { authorization });
    expect(headers).not.toHaveProperty('authorization');
    expect(headers).toMatchObject({ 'x-dstack-user': 'admin' });
  });

  it('receives it for WebSockets, too', async () => {
    const socket = proxy.socket('main/web/ws-headers', { 'x-dstack-user': 'root' });
    const [message] = await once(socket, 'message');
    const headers = names(JSON.parse(String(message)));
    expect(headers).not.toHaveProperty('authorization');
    expect(headers).toMatchObject({ 'x-dstack-user': 'admin', upgrade: 'websocket' });
    socket.terminate();
  });
});

describe('a service without authentication', () => {
  it('never receives a token of this server, valid or revoked', async () => {
    const [valid, replaced, deleted] = await Promise.all(
      ['valid', 'replaced', 'deleted'].map(userWith),
    );
    await proxy.server.call('/api/users/refresh_token', { username: 'replaced' });
    await proxy.server.call('/api/users/delete', { users: ['deleted'] });
    const tokens = [proxy.server.token, valid, replaced, deleted, 'dstack_st_never-made'];
    for (const token of tokens) {
      for (const authorization of [`Bearer ${token}`, `bearer  ${token}`, `${token}`]) {
        const headers = await seen('open/echo', { authorization });
        expect(headers).not.toHaveProperty('authorization');
        expect(headers).not.toHaveProperty('x-dstack-user');
      }
    }
  });

  it('receives no token of this server in other headers, cookies and parameters', async () => {
    const { token } = proxy.server;
    const headers = {
      ...{ 'X-Api-Key': token, 'X-Kept': 'a', Cookie: `a=1; token=${token}; dstack_session=x` },
      'Proxy-Authorization': `Bearer ${token}`,
    };
    const answer = await proxy.get(`open/echo?a=1&token=${token}&b=2`, { headers });
    const { url, headers: raw } = await json(answer);
    expect(names(raw)).toMatchObject({ 'x-kept': 'a', cookie: 'a=1' });
    expect(url).toMatch(/\?a=1&b=2$/);
    expect(JSON.stringify(raw)).not.toContain(token);
    const socket = proxy.socket(`main/open/ws-headers?token=${token}`, { 'x-api-key': token });
    const [message] = await once(socket, 'message');
    expect(String(message)).not.toContain(token);
    socket.terminate();
  });

  it('receives a token that an operator has chosen under no name, and without another credential', async () => {
    const { token } = proxy.server;
    const headers = {
      ...{ 'X-Other': token, 'X-Quoted': `"${token}"`, 'X-Kept': `${token}s` },
      ...{ Cookie: `a=1; theme=${token}`, Referer: `https://a.org/?q=${token}` },
    };
    const path = `/proxy/services/main/open/echo?a=1&q=${token}&b=2`;
    const { url, headers: raw } = await json(await fetch(`${proxy.url}${path}`, { headers }));
    expect(names(raw)).toMatchObject({ 'x-kept': `${token}s`, cookie: 'a=1' });
    for (const name of ['x-other', 'x-quoted', 'referer'])
      expect(names(raw)).not.toHaveProperty(name);
    expect(url).toMatch(/\?a=1&b=2$/);
  });

  it.each(['web', 'open'])(
    'a token that an operator has chosen reaches %s nowhere in a request that brings it in a header',
    async (name) => {
      const { token } = proxy.server;
      const headers = {
        ...{
          authorization: admin(),
          'X-O': `Token ${token}`,
          'X-Q': `k=${token};z`,
          'X-Kept': 'a',
        },
        ...{ Cookie: `a=${token}; b=2`, Referer: `https://a.org/?x=${token}` },
      };
      const answer = await proxy.get(`${name}/echo?a=${token}&b=Bearer+${token}&c=2`, { headers });
      const { url, headers: raw } = await json(answer);
      expect(names(raw)).toMatchObject({ 'x-kept': 'a', cookie: 'b=2' });
      expect(url).toMatch(/\?c=2$/);
      expect(JSON.stringify(raw)).not.toContain(token);
    },
  );

  it.each(['Bearer of-the-app', 'Basic YTpi', 'Bearer 0b8a2ef3-4a51-4c0c-9d52-7f3a3d0f1c11'])(
    'receives %s, which is its own',
    async (authorization) => {
      expect(await seen('open/echo', { authorization })).toMatchObject({ authorization });
    },
  );

  it('never receives a user name that the client sent', async () => {
    const headers = { authorization: '', 'X-Dstack-User': 'root', X_Dstack_User: 'root' };
    expect(JSON.stringify(await seen('open/echo', headers))).not.toContain('root');
  });
});

describe('the origin of a request', () => {
  const made = { 'X-Forwarded-For': '6.6.6.6', Forwarded: 'for=6.6.6.6', 'X-Real-IP': '6.6.6.6' };

  it('is reported by this server alone if no proxy is trusted', async () => {
    const headers = await seen('web/echo', made);
    expect(headers).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http' });
    expect(JSON.stringify(headers)).not.toContain('6.6.6.6');
    const socket = proxy.socket('main/web/ws-headers', made);
    const [message] = await once(socket, 'message');
    expect(names(JSON.parse(String(message)))).toMatchObject({ 'x-forwarded-for': '127.0.0.1' });
    expect(String(message)).not.toContain('6.6.6.6');
    socket.terminate();
  });

  it('is reported by a trusted proxy', async () => {
    const behind = await ProxiedServices.start({ trustedProxies: ['loopback'] });
    const answer = await behind.get('web/echo', {
      headers: { 'X-Forwarded-For': '6.6.6.6, 1.2.3.4', 'X-Forwarded-Proto': 'https' },
    });
    expect(names((await json(answer)).headers)).toMatchObject({
      ...{ 'x-forwarded-for': '1.2.3.4, 127.0.0.1', 'x-forwarded-proto': 'https' },
    });
    await behind.close();
  });
});
