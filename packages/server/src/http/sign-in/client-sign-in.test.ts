import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProviderError } from '../../oidc/sign-in-providers.ts';
import { at, CHALLENGE, refusal, SignInScene, VERIFIER } from '../testing/sign-in-scene.ts';

let scene: SignInScene;
beforeEach(async () => {
  scene = await SignInScene.start();
});
afterEach(() => scene.close());

/** The state of a sign-in that a client at port 4321 has begun. */
async function clientState(more: object = {}): Promise<string> {
  const begun = await scene.post('okta/authorize', { local_port: 4321, base_url: null, ...more });
  expect(begun.headers['set-cookie']).toBeUndefined();
  return new URL(begun.body.authorization_url).searchParams.get('state') ?? '';
}

const nextRedirect = (state: string, headers: Record<string, string> = {}, code = 'c') =>
  scene.post('get_next_redirect', { code, state }, headers);

/** The code of the server's own with which the page sends the browser to the client. */
async function handedCode(state: string, headers: Record<string, string> = {}): Promise<string> {
  const { body } = await nextRedirect(state, headers);
  return new URL(body.redirect_url).searchParams.get('code') ?? '';
}

describe('a client on the computer of the user', () => {
  it('gets a code of the server after a question that names the user, and then the token', async () => {
    const state = await clientState();
    const next = await scene.post('get_next_redirect', { code: 'c', state, iss: 'i' });
    const { redirect_url: url, ...rest } = next.body;
    expect(rest).toEqual({ needs_consent: true, username: 'ann-lee' });
    const { origin, pathname, searchParams: given } = new URL(url);
    expect(origin + pathname).toBe('http://localhost:4321/auth/callback');
    expect(given.get('state')).toBe(state);
    expect(scene.exchanged).toMatchObject([{ code: 'c', issuer: 'i', state }]);
    const code = given.get('code') ?? '';
    expect(code).toMatch(/^[\w-]{43}$/);
    const { body } = await scene.post('okta/callback', { code, state, base_url: null });
    expect(body.username).toBe('ann-lee');
    const me = await scene.server.call('/api/users/get_my_user', undefined, {
      token: body.creds.token,
    });
    expect(me.body.username).toBe('ann-lee');
    expect(scene.exchanged).toHaveLength(1);
  });

  it("buys nothing with the provider's code, and its own one works once", async () => {
    const state = await clientState();
    const code = await handedCode(state);
    expect(refusal(await scene.post('okta/callback', { code: 'c', state }))).toContain(
      'was used before',
    );
    expect((await scene.post('okta/callback', { code, state })).status).toBe(200);
    expect(refusal(await scene.post('okta/callback', { code, state }))).toContain(
      'was used before',
    );
    expect(refusal(await nextRedirect(state))).toContain('used before');
    expect(scene.exchanged).toHaveLength(1);
  });

  it('cannot use the code of another sign-in', async () => {
    const [state, other] = [await clientState(), await clientState()];
    const code = await handedCode(state);
    const answer = await scene.post('okta/callback', { code, state: other });
    expect(refusal(answer)).toContain('belongs to another sign-in');
  });

  it('must redeem its code within five minutes', async () => {
    const state = await clientState({ challenge: CHALLENGE });
    const code = await handedCode(state);
    scene.server.advance(301);
    const answer = await scene.post('okta/callback', { code, state, verifier: VERIFIER });
    expect(refusal(answer)).toContain('older than 5 minutes');
  });

  it('that invents codes is slowed down as with tokens', async () => {
    const state = await clientState();
    const invented = (code: string) => scene.post('okta/callback', { code, state });
    for (const code of ['a', 'b', 'c']) expect((await invented(code)).status).toBe(400);
    const { promise, resolve } = Promise.withResolvers<void>();
    scene.held = promise;
    const [one, two] = [await clientState(), await clientState()];
    const answers = [nextRedirect(one, {}, 'd'), nextRedirect(two, {}, 'e')];
    expect((await Promise.race(answers)).status).toBe(429);
    resolve();
    await Promise.all(answers);
  });

  it('gets the reason why a person is refused, without a question', async () => {
    scene.claims = { email: 'eve@evil.example', isEmailVerified: true };
    const state = await clientState();
    const next = await nextRedirect(state);
    expect(next.body).toMatchObject({ needs_consent: false, username: null });
    const code = new URL(next.body.redirect_url).searchParams.get('code');
    const answer = await scene.post('okta/callback', { code, state });
    expect(answer.status).toBe(403);
    expect(refusal(answer)).toContain('dstack user add NAME --email eve@evil.example');
  });

  it('gets nothing for a user who is deactivated or deleted meanwhile', async () => {
    for (const end of ['update', 'delete']) {
      const state = await clientState();
      const code = await handedCode(state);
      const user = { username: 'ann-lee', global_role: 'user', email: 'ann.lee@example.org' };
      await scene.server.call(
        `/api/users/${end}`,
        end === 'update' ? { ...user, active: false } : { users: ['ann-lee'] },
      );
      const answer = await scene.post('okta/callback', { code, state });
      expect(answer.status).toBe(403);
      await scene.server.call('/api/users/update', { ...user, active: true });
    }
  });

  it('waits for a person whose provider does not confirm the sign-in, which the page reports', async () => {
    scene.claims = new ProviderError('refused', 'invalid_grant');
    const answer = await nextRedirect(await clientState());
    expect(refusal(answer)).toContain('Okta did not confirm the sign-in: invalid_grant');
  });

  it('that proves by a verifier that it has begun is not asked for', async () => {
    const state = await clientState({ challenge: CHALLENGE });
    const next = await nextRedirect(state);
    expect(next.body).toMatchObject({ needs_consent: false, username: 'ann-lee' });
    const code = new URL(next.body.redirect_url).searchParams.get('code');
    for (const verifier of [null, undefined, '', CHALLENGE, 'w'.repeat(43)]) {
      const answer = await scene.post('okta/callback', { code, state, verifier });
      expect(refusal(answer)).toContain('Another program has begun this sign-in');
    }
    const { body } = await scene.post('okta/callback', { code, state, verifier: VERIFIER });
    expect(body.username).toBe('ann-lee');
  });

  it('must send a challenge that is one', async () => {
    for (const challenge of ['', 'short', `${CHALLENGE}~`]) {
      const answer = await scene.post('okta/authorize', { local_port: 4321, challenge });
      expect(refusal(answer)).toContain('SHA-256 in base64url');
    }
  });

  it('without a challenge ends at the address that began, within five minutes', async () => {
    const state = await clientState();
    const code = await handedCode(state, at('203.0.113.9'));
    const elsewhere = await scene.post('okta/callback', { code, state }, at('203.0.113.9'));
    expect(refusal(elsewhere)).toContain('begun at another address');
    expect((await scene.post('okta/callback', { code, state })).status).toBe(200);
    const late = await clientState();
    scene.server.advance(301);
    expect(refusal(await nextRedirect(late))).toContain('5 with a client');
    expect(refusal(await scene.post('okta/callback', { code: 'c', state: late }))).toContain(
      '5 with a',
    );
    const proven = await clientState({ challenge: CHALLENGE });
    scene.server.advance(301);
    const answer = { code: await handedCode(proven), state: proven, verifier: VERIFIER };
    expect((await scene.post('okta/callback', answer)).status).toBe(200);
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
    expect(scene.exchanged).toEqual([]);
  });

  it('without a challenge is refused by servers that require one', async () => {
    await scene.close();
    scene = await SignInScene.start(true);
    const answer = await scene.post('okta/authorize', { local_port: 4321 });
    expect(answer.status).toBe(403);
    expect(refusal(answer)).toContain('DSTACK_OIDC_REQUIRE_CHALLENGE');
    expect(
      (await scene.post('okta/authorize', { local_port: 1, challenge: CHALLENGE })).status,
    ).toBe(200);
    expect((await scene.signIn()).status).toBe(200);
  });

  it('gives no browser a session', async () => {
    const state = await clientState();
    const { headers } = await scene.browser();
    const answer = await scene.post(
      'okta/session',
      { code: await handedCode(state), state },
      headers,
    );
    expect(refusal(answer)).toContain('another browser');
  });

  it('cannot change the port of a state', async () => {
    const state = await clientState();
    const code = await handedCode(state);
    const parsed = JSON.parse(Buffer.from(state, 'base64url').toString());
    const changed = Buffer.from(JSON.stringify({ ...parsed, local_port: 1 })).toString('base64');
    expect((await scene.post('okta/callback', { code, state: changed })).status).toBe(400);
  });
});
