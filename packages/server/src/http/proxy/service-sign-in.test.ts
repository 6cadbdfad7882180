import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  cookieOf,
  DOMAIN,
  type Headers,
  HostedApps,
  URL_OF_SERVER,
} from '../testing/hosted-apps.ts';

let apps: HostedApps;
let host: string;
let otherHost: string;
beforeAll(async () => {
  apps = await HostedApps.start();
  host = apps.host('app');
  otherHost = apps.host('other');
});
afterAll(() => apps.close());

describe('the sign-in of a browser at a service', () => {
  it('goes through the web UI, back to the address that was opened, and hides all of it from the app', async () => {
    const browser = await apps.browser(await apps.user('ann', true));
    const asked = await apps.open(host, '/start?x=1');
    expect(asked.status).toBe(303);
    expect(asked.headers).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
    });
    expect(String(asked.headers['set-cookie'])).toMatch(
      /^dstack_service_sign_in_[0-9a-f]{8}=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=600$/,
    );
    const at = await apps.handover(browser);
    expect(at.page.origin + at.page.pathname).toBe(`${URL_OF_SERVER}/open-service`);
    expect(at.url.hostname).toBe(host);
    const done = await apps.use(at);
    expect([done.status, done.headers.location]).toEqual([303, '/start?x=1']);
    expect(done.headers['set-cookie']).toEqual([
      expect.stringMatching(
        /^dstack_service_session_[0-9a-f]{8}=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=43200$/,
      ),
      expect.stringMatching(/^dstack_service_sign_in_[0-9a-f]{8}=; .*Max-Age=0$/),
    ]);
    const cookie = cookieOf(done.headers['set-cookie']);
    const seen = await apps.seen(host, { cookie: `${cookie}; app=1` });
    expect(seen).toMatchObject({ cookie: 'app=1', 'x-dstack-user': 'ann' });
  });

  it('lets the app have credentials of its own beside the cookie', async () => {
    const cookie = await apps.signedIn(await apps.browser());
    const own = { cookie, authorization: 'Bearer of-the-app' };
    expect((await apps.seen(host, own)).authorization).toBe('Bearer of-the-app');
    const both = { cookie, ...apps.bearer() };
    expect((await apps.seen(host, both)).authorization).toBeUndefined();
    // A cookie that has ended does not hide a token.
    const ended = cookie.replace(/=.*/, `=${'x'.repeat(43)}`);
    expect((await apps.send(host, '/echo', { cookie: ended, ...apps.bearer() })).status).toBe(200);
  });

  it('takes a code once, at its own service, in its own browser, and within a minute', async () => {
    const browser = await apps.browser();
    const good = await apps.handover(browser);
    expect((await apps.use(good)).status).toBe(303);
    const replayed = await apps.use(good);
    expect([replayed.status, replayed.headers['set-cookie']]).toEqual([403, undefined]);
    expect(replayed.body).toContain(
      'has been used, has expired, or was started by another browser',
    );

    const elsewhere = await apps.handover(browser);
    const state = elsewhere.state.replace(/_[0-9a-f]{8}=/, `_${otherHost.slice(-18, -10)}=`);
    expect((await apps.use(elsewhere, `${elsewhere.state}; ${state}`, otherHost)).status).toBe(403);

    const stolen = await apps.handover(browser);
    expect((await apps.use(stolen, '')).status).toBe(403);
    const attackers = await apps.open(host, '/');
    const theirs = await apps.handover(browser);
    expect((await apps.use(theirs, cookieOf(attackers.headers['set-cookie']))).status).toBe(403);

    const late = await apps.handover(browser);
    apps.proxy.server.advance(61);
    expect((await apps.use(late)).status).toBe(403);
  });

  it('never redirects to another origin', async () => {
    for (const path of [
      '//evil.test/',
      '/\\evil.test',
      '/..//evil.test',
      'https://evil.test/',
      '/%0d%0aX: y',
    ]) {
      const at = await apps.handover(await apps.browser());
      at.url.searchParams.set('path', path);
      const { headers } = await apps.use(at);
      const location = String(headers.location);
      expect(new URL(location, `http://${host}`).origin, path).toBe(`http://${host}`);
      expect(location).toMatch(/^\/(?!\/)/);
    }
  });

  it('is for members of the project alone, and does not reveal services to others', async () => {
    const stranger = await apps.browser(await apps.user('eve', false));
    const page = new URL(String((await apps.open(host, '/')).headers.location));
    const refused = await apps.issue(stranger, page);
    page.searchParams.set('host', `no-0a1b2c3d.${DOMAIN}`);
    const unknown = await apps.issue(stranger, page);
    expect(refused.status).toBe(unknown.status);
    expect(refused.body.detail[0].msg).toContain('No service of your projects has the host name');
    page.searchParams.set('host', 'dstack.test');
    expect((await apps.issue(stranger, page)).status).toBe(400);
  });

  it('needs the session of a browser, from a page of the server', async () => {
    const page = new URL(String((await apps.open(host, '/')).headers.location));
    const { host: at, state } = Object.fromEntries(page.searchParams);
    const body = { host: at, state, path: '/' };
    const byToken = await apps.proxy.server.call('/api/services/sign_in', body);
    expect(byToken.body.detail[0].msg).toContain('Only browsers');
    const good = apps.page(await apps.browser());
    const call = (headers: Headers) =>
      apps.proxy.server.call('/api/services/sign_in', body, { token: null, headers });
    expect((await call(good)).status).toBe(200);
    expect((await call({ ...good, origin: `http://${host}` })).status).toBe(403);
    const { 'x-dstack-session': _key, ...withoutKey } = good;
    expect((await call(withoutKey)).status).toBe(401);
  });

  it('ends with the session of the web UI and with the membership, streams included', async () => {
    const token = await apps.user('bob', true);
    const browser = await apps.browser(token);
    const cookie = await apps.signedIn(browser);
    const socket = apps.socket(host, '/', { cookie, origin: `http://${host}` });
    await once(socket, 'message');
    const closed = once(socket, 'close');
    const signOut = { token: null, method: 'DELETE', headers: apps.page(browser) };
    await apps.proxy.server.call('/api/session', undefined, signOut);
    await closed;
    expect((await apps.send(host, '/echo', { cookie })).status).toBe(403);
    expect((await apps.open(host, '/echo', cookie)).status).toBe(303);

    const again = await apps.signedIn(await apps.browser(token));
    expect((await apps.send(host, '/echo', { cookie: again })).status).toBe(200);
    await apps.proxy.server.call('/api/projects/main/remove_members', { usernames: ['bob'] });
    expect((await apps.send(host, '/echo', { cookie: again })).status).toBe(403);
  });

  it('is asked for only where a person opens a page', async () => {
    expect((await apps.send(host, '/', {})).status).toBe(403);
    expect(
      (await apps.send(host, '/', { accept: 'text/html', ...apps.bearer('wrong') })).status,
    ).toBe(403);
    const fetched = { accept: 'text/html', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' };
    expect((await apps.send(host, '/', fetched)).status).toBe(403);
    const framed = {
      accept: 'text/html',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'iframe',
    };
    expect((await apps.send(host, '/', framed)).status).toBe(403);
    expect((await apps.send(host, '/', { accept: 'text/html' }, 'POST')).status).toBe(403);
  });
});

describe('the cookie of a service', () => {
  it('is not accepted at another service, nor by the API and the other paths of services', async () => {
    const cookie = await apps.signedIn(await apps.browser());
    const renamed = cookie.replace(/_[0-9a-f]{8}=/, `_${otherHost.slice(-18, -10)}=`);
    expect((await apps.send(otherHost, '/echo', { cookie: `${cookie}; ${renamed}` })).status).toBe(
      403,
    );
    expect((await apps.send('dstack.test', '/proxy/services/main/app/', { cookie })).status).toBe(
      403,
    );
    expect(
      (await apps.send('dstack.test', '/api/users/get_my_user', { cookie }, 'POST')).status,
    ).toBe(401);
  });

  it.each<[string, Headers, string, number]>([
    ['a page of its own', { origin: 'own' }, 'POST', 200],
    ['a page of another service', { origin: 'other' }, 'POST', 403],
    ['a page of another site', { origin: 'http://evil.test' }, 'POST', 403],
    ['a page without an origin', { origin: 'null' }, 'POST', 403],
    ['a form that hides its origin', {}, 'POST', 403],
    ['a page of another service that reads', { origin: 'other' }, 'GET', 403],
    [
      'an image in another service',
      { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' },
      'GET',
      403,
    ],
    [
      'a link in another site',
      {
        'sec-fetch-site': 'cross-site',
        'sec-fetch-mode': 'navigate',
        'sec-fetch-dest': 'document',
      },
      'GET',
      200,
    ],
    [
      'a frame in another service',
      { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
      'GET',
      403,
    ],
    [
      'the address bar',
      { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
      'GET',
      200,
    ],
    ['an old browser that reads', {}, 'GET', 200],
  ])('in a request of %s: %s %s → %i', async (_who, headers, method, status) => {
    const cookie = await apps.signedIn(await apps.browser());
    const { origin, ...others } = headers;
    const at =
      origin === 'own' ? `http://${host}` : origin === 'other' ? `http://${otherHost}` : origin;
    const given = { ...others, ...(at !== undefined && { origin: at }), cookie };
    expect((await apps.send(host, '/echo', given, method)).status).toBe(status);
  });

  it('does not open WebSockets for pages of other services', async () => {
    const cookie = await apps.signedIn(await apps.browser());
    const open = (origin: string) => apps.socket(host, '/', { cookie, origin });
    const [error] = await once(open(`http://${otherHost}`), 'error');
    expect(error.message).toContain('403');
    await once(open(`http://${host}`), 'message');
  });
});
