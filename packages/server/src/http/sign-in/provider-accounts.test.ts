import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refusal, SignInScene, type Stated } from '../testing/sign-in-scene.ts';

let scene: SignInScene;
beforeEach(async () => {
  scene = await SignInScene.start();
});
afterEach(() => scene.close());

describe('an account at a provider', () => {
  const ann = { email: 'ann@example.org', isEmailVerified: true, subject: 's1' };
  const nameAfter = async (stated: Stated, provider = 'okta') => {
    scene.claims = stated;
    const { state, headers } = await scene.browser(provider);
    return await scene.post(`${provider}/session`, { code: 'c', state }, headers);
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
    await scene.server.call('/api/users/create', user);
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
      await scene.server.call('/api/users/update', { ...user, active });
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
    await scene.server.call('/api/users/create', user);
    const stated = { email: 'bob@gmail.com', isEmailVerified: true };
    expect((await nameAfter(stated, 'google')).body.user.username).toBe('bob');
  });
});
