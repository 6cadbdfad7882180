import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProviderError } from '../../oidc/sign-in-providers.ts';
import { ORIGIN, refusal, SignInScene, type Stated } from '../testing/sign-in-scene.ts';
import { userNameFor } from './account.ts';

let scene: SignInScene;
beforeEach(async () => {
  scene = await SignInScene.start();
});
afterEach(() => scene.close());

describe('providers', () => {
  it('are listed without a token', async () => {
    const { body } = await scene.post('list_providers', undefined);
    expect(body).toEqual([
      { name: 'okta', enabled: true },
      { name: 'sso', enabled: true },
      { name: 'google', enabled: true },
    ]);
  });

  it('that are not configured are not found', async () => {
    expect((await scene.post('entra/authorize', {})).status).toBe(404);
  });
});

describe('a page that signs in', () => {
  it('gets a session, as with a token, and the person becomes a user', async () => {
    const { state, nonce, setCookie, headers } = await scene.browser();
    expect(setCookie).toMatch(
      /^dstack_sign_in_\w{8}=[\w-]{43}; Path=\/api\/auth; HttpOnly; SameSite=Strict; Max-Age=600$/,
    );
    const opened = await scene.post(
      'okta/session',
      { code: 'c', state, iss: 'i', persistent: true },
      headers,
    );
    expect(opened.body).toMatchObject({ user: { username: 'ann-lee', global_role: 'user' } });
    expect(scene.exchanged).toMatchObject([{ code: 'c', issuer: 'i', state, nonce }]);
    expect(scene.exchanged[0]?.verifier).toMatch(/^[\w-]{43}$/);
    const cookie = String(opened.headers['set-cookie']);
    expect(cookie).toMatch(
      /^dstack_session_\w{8}=.*; Path=\/api; HttpOnly; SameSite=Strict; Max-Age/,
    );
    const page = {
      cookie: cookie.split(';')[0] ?? '',
      'x-dstack-session': opened.body.key,
      origin: ORIGIN,
    };
    const user = await scene.server.call('/api/users/get_my_user', undefined, {
      token: null,
      headers: page,
    });
    expect(user.body).toMatchObject({
      email: 'ann.lee@example.org',
      global_role: 'user',
      creds: { token: '' },
    });
    const events = await scene.server.call('/api/events/list', { include_target_types: ['user'] });
    expect(events.body[0].message).toBe('User created');
  });

  it('is the same user the next time, also with another spelling of the address', async () => {
    const first = await scene.signIn();
    scene.claims = { email: 'Ann.Lee@Example.ORG', isEmailVerified: true };
    expect((await scene.signIn()).body.user.id).toBe(first.body.user.id);
  });

  it('creates one user when it signs in twice at once', async () => {
    const [a, b] = await Promise.all([scene.signIn(), scene.signIn()]);
    expect(a.body.user.id).toBe(b.body.user.id);
  });

  it('gets a name with a number if the name is taken', async () => {
    await scene.server.call('/api/users/create', { username: 'ann-lee', global_role: 'user' });
    expect((await scene.signIn()).body.user.username).toBe('ann-lee-2');
  });

  it('is the user whom an admin has created with the address, from any domain and with any role', async () => {
    scene.claims = { email: 'boss@other.example', isEmailVerified: true };
    const user = { username: 'boss', global_role: 'admin', email: 'Boss@Other.example' };
    await scene.server.call('/api/users/create', user);
    expect((await scene.signIn()).body.user).toMatchObject({
      username: 'boss',
      global_role: 'admin',
    });
  });
});

describe('a person is refused', () => {
  const nobody: [string, Stated, string][] = [
    ['of another domain', { email: 'eve@evil.example', isEmailVerified: true }, 'dstack user add'],
    ['of a domain below', { email: 'eve@sub.example.org', isEmailVerified: true }, 'no user with'],
    [
      'whose address is not verified',
      { email: 'ann@example.org', isEmailVerified: false },
      'verified',
    ],
    ['without an address', { email: null, isEmailVerified: true }, 'scope email'],
    [
      'with another text than an address',
      { email: 'a b@example.org', isEmailVerified: true },
      'scope email',
    ],
  ];
  it.each(nobody)('%s', async (_who, stated, text) => {
    scene.claims = stated;
    const answer = await scene.signIn();
    expect(answer.status).toBe(403);
    expect(refusal(answer)).toContain(text);
    expect(await scene.server.store.users.byEmail(stated.email ?? '')).toBeNull();
  });

  it('who was deactivated', async () => {
    await scene.signIn();
    await scene.server.call('/api/users/update', {
      ...{ username: 'ann-lee', global_role: 'user', email: 'ann.lee@example.org', active: false },
    });
    const answer = await scene.signIn();
    expect(answer.status).toBe(403);
    expect(refusal(answer)).toContain('deactivated');
  });

  it('unless the provider is trusted with addresses', async () => {
    scene.claims = { email: 'ann@example.org', isEmailVerified: false };
    expect((await scene.signIn('sso')).status).toBe(200);
  });
});

describe('a redirect is refused', () => {
  it('with a state that was used', async () => {
    const { state, headers } = await scene.browser();
    await scene.post('okta/session', { code: 'c', state }, headers);
    const again = await scene.post('okta/session', { code: 'd', state }, headers);
    expect(refusal(again)).toContain('used before');
    expect(scene.exchanged).toHaveLength(1);
  });

  it('with a state that is older than ten minutes', async () => {
    const { state, headers } = await scene.browser();
    scene.server.advance(601);
    const late = await scene.post('okta/session', { code: 'c', state }, headers);
    expect(refusal(late)).toContain('more than 10 minutes');
  });

  it('with a state that was made before the clock was set back', async () => {
    for (const seconds of [3600, 86_400]) {
      const { state, headers } = await scene.browser();
      scene.server.advance(-seconds);
      const answer = await scene.post('okta/session', { code: 'c', state }, headers);
      expect(refusal(answer)).toContain('more than 10 minutes');
      const begun = await scene.browser();
      const again = await scene.post(
        'okta/session',
        { code: 'c', state: begun.state },
        begun.headers,
      );
      expect(again.status).toBe(200);
    }
  });

  it('in a browser that has not begun', async () => {
    const { state } = await scene.browser();
    const { headers } = await scene.browser();
    for (const other of [headers, { origin: ORIGIN }]) {
      const answer = await scene.post('okta/session', { code: 'c', state }, other);
      expect(refusal(answer)).toContain('another browser');
    }
    const client = await scene.post('okta/callback', { code: 'c', state });
    expect(refusal(client)).toContain('another browser');
    expect(scene.exchanged).toEqual([]);
  });

  it('to another provider, or with an invented state', async () => {
    const { state, headers } = await scene.browser();
    const made = Buffer.from('{"value":"a.b.c.d","local_port":null}').toString('base64');
    for (const [provider, given] of [
      ['sso', state],
      ['okta', made],
      ['okta', 'x'],
    ]) {
      const answer = await scene.post(`${provider}/session`, { code: 'c', state: given }, headers);
      expect(answer.status).toBe(400);
    }
    expect(scene.exchanged).toEqual([]);
  });

  it('of a page of another origin', async () => {
    const { state, headers } = await scene.browser();
    const evil = { ...headers, origin: 'http://evil.example' };
    const answer = await scene.post('okta/session', { code: 'c', state }, evil);
    expect(answer.status).toBe(403);
    expect(scene.exchanged).toEqual([]);
  });
});

describe('a provider', () => {
  it('that does not answer is named, with what to do', async () => {
    scene.claims = new ProviderError('unreachable', 'connect ECONNREFUSED');
    const answer = await scene.signIn();
    expect(answer.status).toBe(400);
    expect(refusal(answer)).toContain('Okta does not answer this server: connect ECONNREFUSED');
  });

  it('that refuses codes is asked for one at a time of an address that has sent several', async () => {
    scene.claims = new ProviderError('refused', 'invalid_grant');
    for (const code of ['a', 'b', 'c']) {
      expect(refusal(await scene.signIn('okta', { code }))).toContain(
        'did not confirm the sign-in',
      );
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    scene.held = promise;
    const answers = ['d', 'e'].map((code) => scene.signIn('okta', { code }));
    expect((await Promise.race(answers)).status).toBe(429);
    resolve();
    await Promise.all(answers);
  });
});

it.each([
  ['ann.lee@x.y', 'ann-lee'],
  ['Ann+Test@x.y', 'ann-test'],
  ['"@"@x.y', 'user'],
  ['ünï@x.y', 'n'],
  [`${'a'.repeat(80)}@x.y`, 'a'.repeat(50)],
])('%s becomes the user %s', (email, name) => {
  expect(userNameFor(email)).toBe(name);
});
