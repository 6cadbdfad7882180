import { expect, it } from 'vitest';
import { userRecord } from '../testing/records.ts';
import { forEachStore, openWorld } from '../testing/stores.ts';

const OKTA = { issuer: 'https://okta.test', subject: 's1' };

forEachStore((tests) => {
  it('a user is found by the account that was bound, whatever the address is', async () => {
    const { store, userId } = await openWorld(tests);
    expect(await store.users.byIdentity(OKTA)).toBeNull();
    expect(await store.users.bindIdentity(userId, OKTA, 1)).toBe('bound');
    expect(await store.users.bindIdentity(userId, OKTA, 2)).toBe('bound');
    await store.users.update(userId, { email: 'other@example.org' });
    expect((await store.users.byIdentity(OKTA))?.id).toBe(userId);
    expect(await store.users.byIdentity({ ...OKTA, issuer: 'https://other.test' })).toBeNull();
  });

  it('a user has one account of each issuer, and an account one user', async () => {
    const { store, userId } = await openWorld(tests);
    const bob = userRecord({ name: 'bob' });
    await store.users.insert(bob);
    await store.users.bindIdentity(userId, OKTA, 1);
    const other = { ...OKTA, subject: 's2' };
    expect(await store.users.bindIdentity(userId, other, 1)).toBe('other-account');
    expect(await store.users.bindIdentity(bob.id, OKTA, 1)).toBe('other-account');
    const google = { issuer: 'https://google.test', subject: 's1' };
    expect(await store.users.bindIdentity(userId, google, 1)).toBe('bound');
  });

  it('two first sign-ins at once bind one of two accounts', async () => {
    const { store, userId } = await openWorld(tests);
    const outcomes = await Promise.all(
      ['a', 'b', 'c'].map((subject) => store.users.bindIdentity(userId, { ...OKTA, subject }, 1)),
    );
    expect(outcomes.filter((outcome) => outcome === 'bound')).toHaveLength(1);
  });

  it('deactivating or deleting a user releases the account', async () => {
    const { store, userId } = await openWorld(tests);
    const bob = userRecord({ name: 'bob' });
    await store.users.insert(bob);
    await store.users.bindIdentity(userId, OKTA, 1);
    await store.users.update(userId, { active: true });
    expect(await store.users.byIdentity(OKTA)).not.toBeNull();
    await store.users.update(userId, { active: false });
    expect(await store.users.bindIdentity(bob.id, OKTA, 1)).toBe('bound');
    await store.users.delete([bob.id]);
    expect(await store.users.byIdentity(OKTA)).toBeNull();
    expect(await store.users.bindIdentity(userId, OKTA, 1)).toBe('bound');
  });
});
