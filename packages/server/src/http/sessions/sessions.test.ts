import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

/** Injected requests have this host unless they name another. */
const ORIGIN = 'http://localhost:80';
const SELF = new URL(ORIGIN).origin;

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ trustedProxies: ['127.0.0.1'] });
});
afterAll(() => server.close());

type Headers = Record<string, string>;

/** A new user, signed in; returns the headers of their pages' requests. */
async function signIn(username: string, body: unknown = {}, headers: Headers = {}) {
  await server.call('/api/users/create', { username, global_role: 'user' });
  const token = await tokenOf(username);
  const opened = await server.call('/api/session', body, {
    token,
    headers: { origin: SELF, ...headers },
  });
  const cookie = String(opened.headers['set-cookie'] ?? '');
  const page: Headers = {
    cookie: cookie.split(';')[0] ?? '',
    'x-dstack-session': opened.body.key ?? '',
    origin: SELF,
    ...headers,
  };
  return { token, opened, cookie, page };
}

async function tokenOf(username: string): Promise<string> {
  return (await server.call('/api/users/get_user', { username })).body.creds.token;
}

const api = (path: string, headers: Headers, method = 'POST', body?: unknown) =>
  server.call(path, body, { token: null, method, headers });

const pick = ({ status, text }: { status: number; text: string }) => ({ status, text });

const myUser = (headers: Headers) => api('/api/users/get_my_user', headers);

describe('a session', () => {
  it('is opened with a token and then replaces it', async () => {
    const { opened, cookie, page } = await signIn('ann');
    expect(opened.status).toBe(200);
    expect(opened.body).toMatchObject({ user: { username: 'ann' }, persistent: false });
    expect(cookie).toMatch(
      /^dstack_session_[0-9a-f]{8}=[\w-]{43}; Path=\/api; HttpOnly; SameSite=Strict$/,
    );
    expect(cookie).not.toContain(opened.body.key);
    expect((await myUser(page)).body.username).toBe('ann');
    const seen = await api('/api/session', page, 'GET');
    expect(seen.body).toMatchObject({ user: { username: 'ann' }, persistent: false });
    expect(seen.body.expires_at).toBe(opened.body.expires_at);
  });

  it('does not get the token and the private key of its user, which the token itself gets', async () => {
    const { token, page } = await signIn('tok');
    const own = await server.call('/api/users/get_my_user', undefined, { token });
    expect(own.body.creds.token).toBe(token);
    expect(own.body.ssh_private_key).toMatch(/PRIVATE KEY/);
    const inPage = await myUser(page);
    expect(inPage.status).toBe(200);
    expect(inPage.body).toMatchObject({ username: 'tok', creds: { token: '' } });
    expect(inPage.body.ssh_private_key).toBeNull();
    expect(inPage.text).not.toContain(token);
  });

  it('of an admin does not get the credentials of other users', async () => {
    const { page } = await signIn('root-admin');
    await server.call('/api/users/update', { username: 'root-admin', global_role: 'admin' });
    const { body } = await api('/api/users/get_user', page, 'POST', { username: 'ann' });
    expect(body).toMatchObject({ username: 'ann', creds: { token: '' }, ssh_private_key: null });
    const renewed = await api('/api/users/refresh_ssh_key', page, 'POST', { username: 'ann' });
    expect(renewed.body).toMatchObject({ creds: { token: '' }, ssh_private_key: null });
    expect(await tokenOf('ann')).not.toBe('');
  });

  it('gets a new token once when it replaces that of its user, and goes on', async () => {
    const { token, page } = await signIn('renewing');
    const opened = await server.call('/api/session', {}, { token, headers: { origin: SELF } });
    const other = {
      cookie: String(opened.headers['set-cookie']).split(';')[0] ?? '',
      'x-dstack-session': opened.body.key,
      origin: SELF,
    };
    const { body } = await api('/api/users/refresh_token', page, 'POST', { username: 'renewing' });
    expect(body.creds.token).toBe(await tokenOf('renewing'));
    expect(body.ssh_private_key).toBeNull();
    expect(body.creds.token).not.toBe(token);
    expect((await myUser(page)).body).toMatchObject({ username: 'renewing', creds: { token: '' } });
    expect((await myUser(other)).status).toBe(401);
    expect((await server.call('/api/users/get_my_user', undefined, { token })).status).toBe(403);
  });

  it('has a cookie that outlives the browser only if the user asks for it', async () => {
    const { cookie, opened } = await signIn('per', { persistent: true });
    expect(cookie).toContain('Max-Age=34560000');
    expect(opened.body.persistent).toBe(true);
  });

  it('has a secure cookie behind a proxy that encrypts', async () => {
    const proxied = {
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'dstack.example',
      origin: 'https://dstack.example',
    };
    const { cookie, page } = await signIn('sec', {}, proxied);
    expect(cookie).toMatch(/^__Secure-dstack_session_.*; Secure$/);
    expect((await myUser(page)).status).toBe(200);
  });

  it('is not opened without a token, with a wrong one, or with that of a program', async () => {
    expect((await server.call('/api/session', {}, { token: null })).status).toBe(401);
    expect((await server.call('/api/session', {}, { token: 'wrong' })).status).toBe(403);
    const program = await server.call('/api/project/main/service_tokens/create', { name: 'ci' });
    const answer = await server.call('/api/session', {}, { token: program.body.token });
    expect(answer.status).toBe(403);
  });

  it('is not opened by another session', async () => {
    const { page } = await signIn('twice');
    const answer = await api('/api/session', page);
    expect(answer.status).toBe(400);
    expect(answer.body.detail[0].msg).toContain('Authorization');
  });

  it('is not opened for a page of another origin', async () => {
    const answer = await server.call('/api/session', {}, { headers: { origin: 'http://evil' } });
    expect(answer.status).toBe(403);
    expect(answer.body.detail.msg).toContain('the page\'s origin is "http://evil"');
    expect(answer.body.detail.msg).toContain('DSTACK_SERVER_URL');
    expect(answer.headers['set-cookie']).toBeUndefined();
  });
});

describe('a request with the cookie', () => {
  const refused: [string, Headers, number][] = [
    ['without the key', { 'x-dstack-session': '' }, 401],
    ['with another key', { 'x-dstack-session': 'A'.repeat(43) }, 401],
    ['with another cookie', { cookie: `dstack_session_00000000=${'A'.repeat(43)}` }, 401],
    ['of another origin', { origin: 'http://evil.example' }, 403],
    ['of another port', { origin: 'http://localhost:8080' }, 403],
    ['of another scheme', { origin: 'https://localhost' }, 403],
    ['of a sandboxed page', { origin: 'null' }, 403],
    ['of a similar origin', { origin: 'http://localhost.evil' }, 403],
    ['without an origin', { origin: '' }, 403],
  ];
  it.each(refused)('%s is refused', async (_what, change, status) => {
    const { page } = await signIn(`r${status}-${Object.keys(change)[0]?.slice(0, 8)}`);
    const headers = Object.fromEntries(
      Object.entries({ ...page, ...change }).filter(([, value]) => value !== ''),
    );
    expect((await myUser(headers)).status).toBe(status);
  });

  it('may read without an origin, as browsers do, unless the browser names another site', async () => {
    const { page } = await signIn('reader');
    const { origin: _, ...reading } = page;
    expect((await api('/api/session', reading, 'GET')).body.user.username).toBe('reader');
    const elsewhere = { ...reading, 'sec-fetch-site': 'same-site' };
    expect((await api('/api/session', elsewhere, 'GET')).body.user).toBeNull();
  });

  it('is accepted among cookies that another page has set', async () => {
    const { page } = await signIn('tossed');
    const [name = ''] = (page.cookie ?? '').split('=');
    const cookie = `a=b; ${name}=${'B'.repeat(43)}; ${page.cookie}`;
    expect((await myUser({ ...page, cookie })).status).toBe(200);
  });

  it('is refused with the cookie of one session and the key of another', async () => {
    const one = await signIn('one');
    const two = await signIn('two');
    const mixed = { ...one.page, cookie: two.page.cookie ?? '' };
    expect((await myUser(mixed)).status).toBe(401);
  });

  it('has the permissions of the user', async () => {
    const { page } = await signIn('plain');
    expect((await api('/api/project/main/runs/list', page)).status).not.toBe(200);
    expect((await api('/api/users/create', page, 'POST', {})).status).toBe(403);
    await server.call('/api/projects/main/add_members', {
      members: [{ username: 'plain', project_role: 'user' }],
    });
    const run = { run_name: 'none', id: null };
    const answer = await api('/api/project/main/runs/get', page, 'POST', run);
    expect(answer.body.detail[0].code).toBe('resource_not_exists');
  });

  it('is not a credential for services and models', async () => {
    const { page } = await signIn('proxied');
    await server.call('/api/projects/main/add_members', {
      members: [{ username: 'proxied', project_role: 'admin' }],
    });
    const { origin: _, ...reading } = page;
    const models = '/proxy/models/main/models';
    expect((await server.call(models, undefined, { method: 'GET' })).status).toBe(200);
    for (const path of [models, '/proxy/services/main/app/']) {
      const answer = await api(path, reading, 'GET');
      expect(answer).toMatchObject(pick(await api(path, {}, 'GET')));
      expect(answer.status).toBeGreaterThanOrEqual(400);
    }
  });

  it('uses the token if both are sent', async () => {
    const { page } = await signIn('both');
    const answer = await server.call('/api/users/get_my_user', undefined, { headers: page });
    expect(answer.body.username).toBe('admin');
  });
});

describe('the end of a session', () => {
  it('is signing out, which removes the cookie', async () => {
    const { page } = await signIn('out');
    const ended = await api('/api/session', page, 'DELETE');
    expect(ended.status).toBe(200);
    expect(String(ended.headers['set-cookie'])).toMatch(
      /^dstack_session_[0-9a-f]{8}=; .*Max-Age=0$/,
    );
    expect((await myUser(page)).status).toBe(401);
    expect((await api('/api/session', page, 'GET')).body).toEqual({
      user: null,
      persistent: false,
      expires_at: null,
    });
    expect((await api('/api/session', page, 'DELETE')).status).toBe(200);
  });

  it('is signing out everywhere', async () => {
    const { page, token } = await signIn('many');
    const again = await server.call('/api/session', {}, { token, headers: { origin: SELF } });
    const cookie = String(again.headers['set-cookie']).split(';')[0] ?? '';
    const other = { ...page, cookie, 'x-dstack-session': again.body.key };
    expect((await myUser(other)).status).toBe(200);
    expect((await api('/api/session/all', page, 'DELETE')).status).toBe(200);
    expect((await myUser(other)).status).toBe(401);
    expect((await myUser(page)).status).toBe(401);
    expect((await server.call('/api/users/get_my_user', undefined, { token })).status).toBe(200);
  });

  it('is the replacement of the token', async () => {
    const { page } = await signIn('rotated');
    await server.call('/api/users/refresh_token', { username: 'rotated' });
    expect((await myUser(page)).status).toBe(401);
  });

  it('is twelve hours without use', async () => {
    const { page } = await signIn('idle');
    server.advance(11 * 3600);
    expect((await myUser(page)).status).toBe(200);
    server.advance(11 * 3600);
    expect((await myUser(page)).status).toBe(200);
    server.advance(13 * 3600);
    expect((await myUser(page)).status).toBe(401);
  });
});

it('unknown sessions count as unknown tokens', async () => {
  const strict = await startTestServer({ failedLoginsPerMinute: 2 });
  const serverId = await strict.store.meta.serverId();
  const guess = (key: string) =>
    strict.call('/api/users/get_my_user', undefined, {
      token: null,
      headers: {
        cookie: `dstack_session_${serverId.slice(0, 8)}=${'A'.repeat(43)}`,
        'x-dstack-session': key,
        origin: SELF,
      },
    });
  const statuses = [];
  for (const key of ['a', 'b']) statuses.push((await guess(key)).status);
  const many = await Promise.all(['c', 'd', 'e'].map(guess));
  expect([statuses, many.map(({ status }) => status).sort()]).toEqual([
    [401, 401],
    [401, 429, 429],
  ]);
  await strict.close();
});
