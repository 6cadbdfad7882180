import { expect, it } from 'vitest';
import type { UserRecord } from '../schema/account-records.ts';
import { rawSql } from '../testing/raw-sql.ts';
import { newEvent, projectRecord, userRecord } from '../testing/records.ts';
import { forEachStore, openWorld } from '../testing/stores.ts';
import type { NewUser } from './types.ts';

function shown({ token: _, sshPrivateKey: __, ...user }: NewUser): UserRecord {
  return { ...user, deleted: false, originalName: null };
}

const names = (users: readonly { readonly name: string }[]) => users.map((user) => user.name);

forEachStore((tests) => {
  it('finds users by id, name, e-mail and token', async () => {
    const { users } = await tests.open();
    const user = userRecord({ name: 'Bob', email: 'Bob@example.org', token: 'secret-token' });
    expect(await users.insert(user, { events: [newEvent('User created')] })).toBe('created');
    expect(await users.byId(user.id)).toEqual(shown(user));
    expect(await users.byIds([user.id, 'absent'])).toEqual([shown(user)]);
    expect(await users.byName('bOB')).toEqual(shown(user));
    expect(await users.byEmail('bob@EXAMPLE.org')).toEqual(shown(user));
    expect(await users.byToken('secret-token')).toEqual(shown(user));
    expect(await users.byToken('other')).toBeNull();
    expect(await users.credentials(user.id)).toEqual({
      token: 'secret-token',
      sshPrivateKey: 'private',
    });
  });

  it('takes each name once, whatever its case', async () => {
    const { users } = await tests.open();
    expect(await users.insert(userRecord({ name: 'bob' }))).toBe('created');
    expect(await users.insert(userRecord({ name: 'BOB' }))).toBe('name-taken');
  });

  it('keeps no token or key in the clear', async () => {
    const url = await tests.createDatabase();
    const { users } = await tests.open({ url });
    await users.insert(userRecord({ token: 'secret-token', sshPrivateKey: 'secret-key' }));
    const rows = JSON.stringify(await rawSql(url, 'select * from users'));
    expect(rows).not.toMatch(/secret-token|secret-key/);
  });

  it('refuses users who are inactive or deleted, or whose token cannot be decrypted', async () => {
    const url = await tests.createDatabase();
    const { users } = await tests.open({ url });
    const [broken, inactive, gone] = [userRecord(), userRecord({ active: false }), userRecord()];
    for (const user of [broken, inactive, gone]) await users.insert(user);
    expect(await users.byToken(broken.token)).not.toBeNull();
    await rawSql(url, `update users set token = 'garbage' where id = '${broken.id}' returning id`);
    await users.delete([gone.id]);
    for (const user of [broken, inactive, gone]) expect(await users.byToken(user.token)).toBeNull();
  });

  it('replaces tokens, keys and what an admin may change', async () => {
    const { users } = await tests.open();
    const user = userRecord({ token: 'old' });
    await users.insert(user);
    await users.setToken(user.id, 'new');
    await users.setSshKeys(user.id, { privateKey: 'private-2', publicKey: 'public-2' });
    await users.update(user.id, { globalRole: 'admin', email: 'x@y.z', active: true });
    expect(await users.byToken('old')).toBeNull();
    expect(await users.byToken('new')).toMatchObject({
      ...{ globalRole: 'admin', email: 'x@y.z', sshPublicKey: 'public-2' },
    });
    expect((await users.credentials(user.id))?.sshPrivateKey).toBe('private-2');
  });

  it('frees the name of a deleted user and drops memberships', async () => {
    const { store, projectId } = await openWorld(tests);
    const { users, projects } = store;
    const bob = userRecord({ name: 'bob' });
    await users.insert(bob);
    await projects.addMembers(projectId, [{ userId: bob.id, role: 'user' }]);
    await users.delete([bob.id], { events: [newEvent('User deleted')] });
    expect(await users.byId(bob.id)).toMatchObject({
      ...{ deleted: true, active: false, originalName: 'bob' },
      name: expect.stringMatching(/^_deleted_\d+_[0-9a-f]{8}$/),
    });
    expect(await users.byName('bob')).toBeNull();
    expect(names((await projects.members(projectId)).map((member) => member.user))).toEqual([
      'alice',
    ]);
    expect(await users.insert(userRecord({ name: 'bob' }))).toBe('created');
  });

  it('pages newest first, equal times by id upwards, and turns round', async () => {
    const { users } = await tests.open();
    const times = [1, 2, 2, 2, 3];
    for (const [index, createdAt] of times.entries()) {
      await users.insert(userRecord({ id: `id-${index}`, name: `u${index}`, createdAt }));
    }
    const page = async (part: object) => names(await users.list({ page: part }));
    expect(await page({})).toEqual(['u4', 'u1', 'u2', 'u3', 'u0']);
    expect(await page({ limit: 2 })).toEqual(['u4', 'u1']);
    expect(await page({ after: { at: 2, id: 'id-1' }, limit: 2 })).toEqual(['u2', 'u3']);
    expect(await page({ after: { at: 2 } })).toEqual(['u0']);
    expect(await page({ ascending: true })).toEqual(['u0', 'u3', 'u2', 'u1', 'u4']);
    expect(await page({ ascending: true, after: { at: 2, id: 'id-2' } })).toEqual(['u1', 'u4']);
    expect(await page({ limit: 0 })).toEqual([]);
  });

  it('filters by a part of the name, taken literally, and counts', async () => {
    const { users } = await tests.open();
    const list = ['a_b', 'aXb', 'A_B_C'].map((name, createdAt) => userRecord({ name, createdAt }));
    for (const user of list) await users.insert(user);
    expect(names(await users.list({ namePattern: 'a_B' }))).toEqual(['A_B_C', 'a_b']);
    expect(await users.count({ namePattern: 'a_B' })).toBe(2);
    expect(names(await users.list({ onlyId: list[1]!.id }))).toEqual(['aXb']);
    expect(await users.count({})).toBe(3);
  });

  it('keeps registered keys, each once per user', async () => {
    const { users, events } = await tests.open();
    const [one, two] = [userRecord(), userRecord()];
    for (const user of [one, two]) await users.insert(user);
    const key = {
      ...{ id: 'k1', userId: one.id, name: 'laptop', type: 'ssh-ed25519' },
      ...{ fingerprint: 'SHA256:x', key: 'ssh-ed25519 AAAA', addedAt: 1 },
    };
    expect(await users.addPublicKey(key)).toBe('created');
    expect(await users.addPublicKey({ ...key, id: 'k2' })).toBe('name-taken');
    expect(await users.addPublicKey({ ...key, id: 'k3', userId: two.id })).toBe('created');
    const newer = { ...key, id: 'k4', fingerprint: 'SHA256:y', addedAt: 2 };
    await users.addPublicKey(newer);
    expect(await users.publicKeys(one.id)).toEqual([newer, key]);
    await users.deletePublicKeys(one.id, ['k1', 'k3', 'absent'], (deleted) => ({
      events: deleted.map(({ name }) => newEvent(`${name} deleted`)),
    }));
    expect(await users.publicKeys(one.id)).toEqual([newer]);
    expect(await users.publicKeys(two.id)).toHaveLength(1);
    const [event] = await events.list({ visibleTo: null });
    expect(event?.message).toBe('laptop deleted');
  });

  it('gives a sample of what is encrypted', async () => {
    const store = await tests.open();
    expect(await store.meta.encryptedSample()).toBeNull();
    const user = userRecord({ token: 'secret' });
    await store.users.insert(user);
    await store.projects.insert(projectRecord(user.id));
    expect(await store.meta.encryptedSample()).toMatch(/^sealed:/);
  });
});
