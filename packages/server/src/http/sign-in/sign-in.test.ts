import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ProviderError,
  type SignInAnswer,
  type SignInClaims,
  type SignInProof,
} from '../../oidc/sign-in-providers.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { userNameFor } from './account.ts';

const ORIGIN = 'http://localhost';

/** The claims that a test sets; the account follows from the address unless the test names one. */
type Stated = Pick<SignInClaims, 'email' | 'isEmailVerified'> & Partial<SignInClaims>;

/** The claims in the provider's next answer, or the error of the exchange. */
let claims: Stated | ProviderError;
/** The provider answers after this. */
let held: Promise<void> | null;
let exchanged: (SignInAnswer & SignInProof)[];
let server: TestServer;

beforeEach(() => start());

async function start(requiresChallenge = false) {
  claims = { email: 'ann.lee@example.org', isEmailVerified: true };
  exchanged = [];
  held = null;
  const okta = {
    name: 'okta',
    trustsEmail: false,
    authorizationUrl: async ({ state, nonce }: SignInProof) =>
      `https://okta.example/authorize?${new URLSearchParams({ state, nonce })}`,
    claims: async (answer: SignInAnswer, proof: SignInProof) => {
      exchanged.push({ ...answer, ...proof });
      await held;
      if (claims instanceof ProviderError) throw claims;
      const { email } = claims;
      return {
        ...{ issuer: 'https://okta.example', subject: `sub-of-${email?.toLowerCase()}` },
        ...{ hostedDomain: null, ...claims },
      };
    },
  };
  const other = { ...okta, name: 'sso', trustsEmail: true };
  const google = { ...okta, name: 'google' };
  const all = [okta, other, google];
  server = await startTestServer(
    { failedLoginsPerMinute: 3, trustedProxies: ['loopback'] },
    { providers: { all, domains: ['example.org'], requiresChallenge } },
  );
}
afterEach(() => server.close());

type Headers = Record<string, string>;

const post = (path: string, body: unknown, headers: Headers = {}) =>
  server.call(`/api/auth/${path}`, body, { token: null, headers });

/** A browser that has been to the provider: the state and the cookie that it comes back with. */
async function browser(provider = 'okta') {
  const begun = await post(`${provider}/authorize`, {}, { origin: ORIGIN });
  const query = new URL(begun.body.authorization_url).searchParams;
  const setCookie = String(begun.headers['set-cookie']);
  const headers = { cookie: setCookie.split(';')[0] ?? '', origin: ORIGIN };
  return { state: query.get('state') ?? '', nonce: query.get('nonce'), setCookie, headers };
}

async function signIn(provider = 'okta', more: object = {}) {
  const { state, headers } = await browser(provider);
  return await post(`${provider}/session`, { code: 'c', state, ...more }, headers);
}

const refusal = (answer: { readonly body: { readonly detail: unknown } }) =>
  JSON.stringify(answer.body.detail);

describe('providers', () => {
  it('are listed without a token', async () => {
    const { body } = await post('list_providers', undefined);
    expect(body).toEqual([
      { name: 'okta', enabled: true },
      { name: 'sso', enabled: true },
      { name: 'google', enabled: true },
    ]);
  });

  it('that are not configured are not found', async () => {
    expect((await post('entra/authorize', {})).status).toBe(404);
  });
});

describe('a page that signs in', () => {
  it('gets a session, as with a token, and the person becomes a user', async () => {
    const { state, nonce, setCookie, headers } = await browser();
    expect(setCookie).toMatch(
      /^dstack_sign_in_\w{8}=[\w-]{43}; Path=\/api\/auth; HttpOnly; SameSite=Strict; Max-Age=600$/,
    );
    const opened = await post(
      'okta/session',
      { code: 'c', state, iss: 'i', persistent: true },
      headers,
    );
    expect(opened.body).toMatchObject({ user: { username: 'ann-lee', global_role: 'user' } });
    expect(exchanged).toMatchObject([{ code: 'c', issuer: 'i', state, nonce }]);
    expect(exchanged[0]?.verifier).toMatch(/^[\w-]{43}$/);
    const cookie = String(opened.headers['set-cookie']);
    expect(cookie).toMatch(
      /^dstack_session_\w{8}=.*; Path=\/api; HttpOnly; SameSite=Strict; Max-Age/,
    );
    const page = {
      cookie: cookie.split(';')[0] ?? '',
      'x-dstack-session': opened.body.key,
      origin: ORIGIN,
    };
    const user = await server.call('/api/users/get_my_user', undefined, {
      token: null,
      headers: page,
    });
    expect(user.body).toMatchObject({
      email: 'ann.lee@example.org',
      global_role: 'user',
      creds: { token: '' },
    });
    const events = await server.call('/api/events/list', { include_target_types: ['user'] });
    expect(events.body[0].message).toBe('User created');
  });

  it('is the same user the next time, also with another spelling of the address', async () => {
    const first = await signIn();
    claims = { email: 'Ann.Lee@Example.ORG', isEmailVerified: true };
    expect((await signIn()).body.user.id).toBe(first.body.user.id);
  });

  it('creates one user when it signs in twice at once', async () => {
    const [a, b] = await Promise.all([signIn(), signIn()]);
    expect(a.body.user.id).toBe(b.body.user.id);
  });

  it('gets a name with a number if the name is taken', async () => {
    await server.call('/api/users/create', { username: 'ann-lee', global_role: 'user' });
    expect((await signIn()).body.user.username).toBe('ann-lee-2');
  });

  it('is the user whom an admin has created with the address, from any domain and with any role', async () => {
    claims = { email: 'boss@other.example', isEmailVerified: true };
    const user = { username: 'boss', global_role: 'admin', email: 'Boss@Other.example' };
    await server.call('/api/users/create', user);
    expect((await signIn()).body.user).toMatchObject({ username: 'boss', global_role: 'admin' });
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
    claims = stated;
    const answer = await signIn();
    expect(answer.status).toBe(403);
    expect(refusal(answer)).toContain(text);
    expect(await server.store.users.byEmail(stated.email ?? '')).toBeNull();
  });

  it('who was deactivated', async () => {
    await signIn();
    await server.call('/api/users/update', {
      ...{ username: 'ann-lee', global_role: 'user', email: 'ann.lee@example.org', active: false },
    });
    const answer = await signIn();
    expect(answer.status).toBe(403);
    expect(refusal(answer)).toContain('deactivated');
  });

  it('unless the provider is trusted with addresses', async () => {
    claims = { email: 'ann@example.org', isEmailVerified: false };
    expect((await signIn('sso')).status).toBe(200);
  });
});

describe('a redirect is refused', () => {
  it('with a state that was used', async () => {
    const { state, headers } = await browser();
    await post('okta/session', { code: 'c', state }, headers);
    const again = await post('okta/session', { code: 'd', state }, headers);
    expect(refusal(again)).toContain('used before');
    expect(exchanged).toHaveLength(1);
  });

  it('with a state that is older than ten minutes', async () => {
    const { state, headers } = await browser();
    server.advance(601);
    const late = await post('okta/session', { code: 'c', state }, headers);
    expect(refusal(late)).toContain('more than 10 minutes');
  });

  it('with a state that was made before the clock was set back', async () => {
    for (const seconds of [3600, 86_400]) {
      const { state, headers } = await browser();
      server.advance(-seconds);
      const answer = await post('okta/session', { code: 'c', state }, headers);
      expect(refusal(answer)).toContain('more than 10 minutes');
      const begun = await browser();
      const again = await post('okta/session', { code: 'c', state: begun.state }, begun.headers);
      expect(again.status).toBe(200);
    }
  });

  it('in a browser that has not begun', async () => {
    const { state } = await browser();
    const { headers } = await browser();
    for (const other of [headers, { origin: ORIGIN }]) {
      const answer = await post('okta/session', { code: 'c', state }, other);
      expect(refusal(answer)).toContain('another browser');
    }
    const client = await post('okta/callback', { code: 'c', state });
    expect(refusal(client)).toContain('another browser');
    expect(exchanged).toEqual([]);
  });

  it('to another provider, or with an invented state', async () => {
    const { state, headers } = await browser();
    const made = Buffer.from('{"value":"a.b.c.d","local_port":null}').toString('base64');
    for (const [provider, given] of [
      ['sso', state],
      ['okta', made],
      ['okta', 'x'],
    ]) {
      const answer = await post(`${provider}/session`, { code: 'c', state: given }, headers);
      expect(answer.status).toBe(400);
    }
    expect(exchanged).toEqual([]);
  });

  it('of a page of another origin', async () => {
    const { state, headers } = await browser();
    const evil = { ...headers, origin: 'http://evil.example' };
    const answer = await post('okta/session', { code: 'c', state }, evil);
    expect(answer.status).toBe(403);
    expect(exchanged).toEqual([]);
  });
});

describe('a provider', () => {
  it('that does not answer is named, with what to do', async () => {
    claims = new ProviderError('unreachable', 'connect ECONNREFUSED');
    const answer = await signIn();
    expect(answer.status).toBe(400);
    expect(refusal(answer)).toContain('Okta does not answer this server: connect ECONNREFUSED');
  });

  it('that refuses codes is asked for one at a time of an address that has sent several', async () => {
    claims = new ProviderError('refused', 'invalid_grant');
    for (const code of ['a', 'b', 'c']) {
      expect(refusal(await signIn('okta', { code }))).toContain('did not confirm the sign-in');
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    held = promise;
    const answers = ['d', 'e'].map((code) => signIn('okta', { code }));
    expect((await Promise.race(answers)).status).toBe(429);
    resolve();
    await Promise.all(answers);
  });
});

const VERIFIER = 'v'.repeat(43);
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url');

/** The state of a sign-in that a client at port 4321 has begun. */
async function clientState(more: object = {}): Promise<string> {
  const begun = await post('okta/authorize', { local_port: 4321, base_url: null, ...more });
  expect(begun.headers['set-cookie']).toBeUndefined();
  return new URL(begun.body.authorization_url).searchParams.get('state') ?? '';
}

const nextRedirect = (state: string, headers: Headers = {}, code = 'c') =>
  post('get_next_redirect', { code, state }, headers);

/** The code of the server's own with which the page sends the browser to the client. */
async function handedCode(state: string, headers: Headers = {}): Promise<string> {
  const { body } = await nextRedirect(state, headers);
  return new URL(body.redirect_url).searchParams.get('code') ?? '';
}

/** Behind a proxy that the server trusts. */
const at = (address: string) => ({ 'x-forwarded-for': address });

describe('a client on the computer of the user', () => {
  it('gets a code of the server after a question that names the user, and then the token', async () => {
    const state = await clientState();
    const next = await post('get_next_redirect', { code: 'c', state, iss: 'i' });
    const { redirect_url: url, ...rest } = next.body;
    expect(rest).toEqual({ needs_consent: true, username: 'ann-lee' });
    const { origin, pathname, searchParams: given } = new URL(url);
    expect(origin + pathname).toBe('http://localhost:4321/auth/callback');
    expect(given.get('state')).toBe(state);
    expect(exchanged).toMatchObject([{ code: 'c', issuer: 'i', state }]);
    const code = given.get('code') ?? '';
    expect(code).toMatch(/^[\w-]{43}$/);
    const { body } = await post('okta/callback', { code, state, base_url: null });
    expect(body.username).toBe('ann-lee');
    const me = await server.call('/api/users/get_my_user', undefined, { token: body.creds.token });
    expect(me.body.username).toBe('ann-lee');
    expect(exchanged).toHaveLength(1);
  });

  it("buys nothing with the provider's code, and its own one works once", async () => {
    const state = await clientState();
    const code = await handedCode(state);
    expect(refusal(await post('okta/callback', { code: 'c', state }))).toContain('was used before');
    expect((await post('okta/callback', { code, state })).status).toBe(200);
    expect(refusal(await post('okta/callback', { code, state }))).toContain('was used before');
    expect(refusal(await nextRedirect(state))).toContain('used before');
    expect(exchanged).toHaveLength(1);
  });

  it('cannot use the code of another sign-in', async () => {
    const [state, other] = [await clientState(), await clientState()];
    const code = await handedCode(state);
    const answer = await post('okta/callback', { code, state: other });
    expect(refusal(answer)).toContain('belongs to another sign-in');
  });

  it('must redeem its code within five minutes', async () => {
    const state = await clientState({ challenge: CHALLENGE });
    const code = await handedCode(state);
    server.advance(301);
    const answer = await post('okta/callback', { code, state, verifier: VERIFIER });
    expect(refusal(answer)).toContain('older than 5 minutes');
  });

  it('that invents codes is slowed down as with tokens', async () => {
    const state = await clientState();
    const invented = (code: string) => post('okta/callback', { code, state });
    for (const code of ['a', 'b', 'c']) expect((await invented(code)).status).toBe(400);
    const { promise, resolve } = Promise.withResolvers<void>();
    held = promise;
    const [one, two] = [await clientState(), await clientState()];
    const answers = [nextRedirect(one, {}, 'd'), nextRedirect(two, {}, 'e')];
    expect((await Promise.race(answers)).status).toBe(429);
    resolve();
    await Promise.all(answers);
  });

  it('gets the reason why a person is refused, without a question', async () => {
    claims = { email: 'eve@evil.example', isEmailVerified: true };
    const state = await clientState();
    const next = await nextRedirect(state);
    expect(next.body).toMatchObject({ needs_consent: false, username: null });
    const code = new URL(next.body.redirect_url).searchParams.get('code');
    const answer = await post('okta/callback', { code, state });
    expect(answer.status).toBe(403);
    expect(refusal(answer)).toContain('dstack user add NAME --email eve@evil.example');
  });

  it('gets nothing for a user who is deactivated or deleted meanwhile', async () => {
    for (const end of ['update', 'delete']) {
      const state = await clientState();
      const code = await handedCode(state);
      const user = { username: 'ann-lee', global_role: 'user', email: 'ann.lee@example.org' };
      await server.call(
        `/api/users/${end}`,
        end === 'update' ? { ...user, active: false } : { users: ['ann-lee'] },
      );
      const answer = await post('okta/callback', { code, state });
      expect(answer.status).toBe(403);
      await server.call('/api/users/update', { ...user, active: true });
    }
  });

  it('waits for a person whose provider does not confirm the sign-in, which the page reports', async () => {
    claims = new ProviderError('refused', 'invalid_grant');
    const answer = await nextRedirect(await clientState());
    expect(refusal(answer)).toContain('Okta did not confirm the sign-in: invalid_grant');
  });

  it('that proves by a verifier that it has begun is not asked for', async () => {
    const state = await clientState({ challenge: CHALLENGE });
    const next = await nextRedirect(state);
    expect(next.body).toMatchObject({ needs_consent: false, username: 'ann-lee' });
    const code = new URL(next.body.redirect_url).searchParams.get('code');
    for (const verifier of [null, undefined, '', CHALLENGE, 'w'.repeat(43)]) {
      const answer = await post('okta/callback', { code, state, verifier });
      expect(refusal(answer)).toContain('Another program has begun this sign-in');
    }
    const { body } = await post('okta/callback', { code, state, verifier: VERIFIER });
    expect(body.username).toBe('ann-lee');
  });

  it('must send a challenge that is one', async () => {
    for (const challenge of ['', 'short', `${CHALLENGE}~`]) {
      const answer = await post('okta/authorize', { local_port: 4321, challenge });
      expect(refusal(answer)).toContain('SHA-256 in base64url');
    }
  });

  it('without a challenge ends at the address that began, within five minutes', async () => {
    const state = await clientState();
    const code = await handedCode(state, at('203.0.113.9'));
    const elsewhere = await post('okta/callback', { code, state }, at('203.0.113.9'));
    expect(refusal(elsewhere)).toContain('begun at another address');
    expect((await post('okta/callback', { code, state })).status).toBe(200);
    const late = await clientState();
    server.advance(301);
    expect(refusal(await nextRedirect(late))).toContain('5 with a client');
    expect(refusal(await post('okta/callback', { code: 'c', state: late }))).toContain('5 with a');
    const proven = await clientState({ challenge: CHALLENGE });
    server.advance(301);
    const answer = { code: await handedCode(proven), state: proven, verifier: VERIFIER };
    expect((await post('okta/callback', answer)).status).toBe(200);
  });

  it('of another computer is asked for, with a challenge too: its owner may have sent the link', async () => {
    const state = await clientState({ challenge: CHALLENGE });
    const next = await nextRedirect(state, at('203.0.113.9'));
    expect(next.body).toMatchObject({ needs_consent: true, username: 'ann-lee' });
  });

  it('cannot avoid the question by a state of its own', async () => {
    const { value } = JSON.parse(Buffer.from(await clientState(), 'base64url').toString());
    const [issued, random, , signed] = value.split('.');
    const other = JSON.parse(
      Buffer.from(await clientState({ challenge: CHALLENGE }), 'base64url').toString(),
    );
    const bound = other.value.split('.')[2];
    const forged = { value: [issued, random, bound, signed].join('.'), local_port: 4321 };
    for (const state of [forged, { value: 'x', local_port: 4321 }, { ...other, local_port: 80 }]) {
      const text = Buffer.from(JSON.stringify(state)).toString('base64url');
      expect(refusal(await nextRedirect(text))).toContain('Invalid state token');
    }
    expect(exchanged).toEqual([]);
  });

  it('without a challenge is refused by servers that require one', async () => {
    await server.close();
    await start(true);
    const answer = await post('okta/authorize', { local_port: 4321 });
    expect(answer.status).toBe(403);
    expect(refusal(answer)).toContain('DSTACK_OIDC_REQUIRE_CHALLENGE');
    expect((await post('okta/authorize', { local_port: 1, challenge: CHALLENGE })).status).toBe(
      200,
    );
    expect((await signIn()).status).toBe(200);
  });

  it('gives no browser a session', async () => {
    const state = await clientState();
    const { headers } = await browser();
    const answer = await post('okta/session', { code: await handedCode(state), state }, headers);
    expect(refusal(answer)).toContain('another browser');
  });

  it('cannot change the port of a state', async () => {
    const state = await clientState();
    const code = await handedCode(state);
    const parsed = JSON.parse(Buffer.from(state, 'base64url').toString());
    const changed = Buffer.from(JSON.stringify({ ...parsed, local_port: 1 })).toString('base64');
    expect((await post('okta/callback', { code, state: changed })).status).toBe(400);
  });
});

describe('an account at a provider', () => {
  const ann = { email: 'ann@example.org', isEmailVerified: true, subject: 's1' };
  const nameAfter = async (stated: Stated, provider = 'okta') => {
    claims = stated;
    const { state, headers } = await browser(provider);
    return await post(`${provider}/session`, { code: 'c', state }, headers);
  };

  it('keeps its user when its address changes', async () => {
    expect((await nameAfter(ann)).body.user.username).toBe('ann');
    const later = await nameAfter({
      ...ann,
      email: 'ann.new@elsewhere.test',
      isEmailVerified: false,
    });
    expect(later.body.user.username).toBe('ann');
  });

  it('is bound to a user who was there before, at the next sign-in', async () => {
    const user = { username: 'prepared', global_role: 'user', email: 'Ann@example.org' };
    await server.call('/api/users/create', user);
    expect((await nameAfter(ann)).body.user.username).toBe('prepared');
    const later = await nameAfter({ ...ann, email: 'other@example.org' });
    expect(later.body.user.username).toBe('prepared');
  });

  it('that has got the address of another one does not get its user, until an admin lets it', async () => {
    await nameAfter(ann);
    const other = { ...ann, subject: 's2' };
    const refused = await nameAfter(other);
    expect(refused.status).toBe(403);
    expect(refusal(refused)).toMatch(
      /The user 'ann' \(ann@example.org\) signs in with another account at Okta.* deactivates the user and activates it again/,
    );
    const user = { username: 'ann', global_role: 'user', email: 'ann@example.org' };
    for (const active of [false, true]) {
      await server.call('/api/users/update', { ...user, active });
    }
    expect((await nameAfter(other)).body.user.username).toBe('ann');
    expect((await nameAfter(ann)).status).toBe(403);
  });

  it('of another issuer with the same address is bound to the same user', async () => {
    await nameAfter(ann);
    const there = { ...ann, issuer: 'https://other.example', subject: 's7' };
    expect((await nameAfter(there, 'sso')).body.user.username).toBe('ann');
  });

  it('of Google must belong to the organisation of the address', async () => {
    for (const hostedDomain of [null, 'evil.test', 'sub.example.org']) {
      const refused = await nameAfter({ ...ann, hostedDomain }, 'google');
      expect(refusal(refused)).toContain(
        'does not state that your account ann@example.org belongs',
      );
    }
    const hosted = { ...ann, hostedDomain: 'Example.org' };
    expect((await nameAfter(hosted, 'google')).body.user.username).toBe('ann');
  });

  it("of Google with Google's own address needs no organisation", async () => {
    const user = { username: 'bob', global_role: 'user', email: 'bob@gmail.com' };
    await server.call('/api/users/create', user);
    const stated = { email: 'bob@gmail.com', isEmailVerified: true };
    expect((await nameAfter(stated, 'google')).body.user.username).toBe('bob');
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
