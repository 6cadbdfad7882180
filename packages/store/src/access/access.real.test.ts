import { randomUUID } from 'node:crypto';
import { expect, it, vi } from 'vitest';
import type { AccessSubject } from '../changes/types.ts';
import type { ServiceTokenRecord } from '../schema/account-records.ts';
import { rawSql } from '../testing/raw-sql.ts';
import { userRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type StoreTests } from '../testing/stores.ts';

type Received = (AccessSubject | null)[];

forEachStore((tests) => {
  it('reports whose access may have changed, after the commit', async () => {
    const world = await openWorld(tests);
    const { store, projectId } = world;
    const bob = userRecord({ name: 'bob' });
    await store.users.insert(bob);
    const received: Received = [];
    store.access.onChanged((subject) => received.push(subject));
    const ofUser = { kind: 'user', id: bob.id } as const;
    const ofProject = { kind: 'project', id: projectId } as const;
    const member = { userId: bob.id, role: 'user' } as const;
    const writes: [() => Promise<unknown>, AccessSubject][] = [
      [() => store.projects.addMembers(projectId, [member]), ofProject],
      [() => store.projects.setMembers(projectId, [member]), ofProject],
      [() => store.projects.removeMembers(projectId, [bob.id]), ofProject],
      [() => store.projects.update(projectId, { isPublic: true }), ofProject],
      [() => store.users.update(bob.id, { active: false }), ofUser],
      [() => store.users.setToken(bob.id, 'another'), ofUser],
      [() => store.users.delete([bob.id]), ofUser],
      [() => store.projects.delete([projectId]), ofProject],
    ];
    for (const [write, subject] of writes) {
      await write();
      expect(received.splice(0)).toEqual([subject]);
    }
  });

  it('reports nothing for a change that revokes no access or is rolled back', async () => {
    const { store, projectId } = await openWorld(tests);
    const received: Received = [];
    store.access.onChanged((subject) => received.push(subject));
    await store.projects.update(projectId, { templatesRepo: 'https://example.com' });
    const unknown = { userId: 'nobody', role: 'user' } as const;
    await expect(store.projects.setMembers(projectId, [unknown])).rejects.toThrow();
    expect(received).toEqual([]);
  });

  it('reports the project whose service tokens are deleted', async () => {
    const { store, projectId, userId } = await openWorld(tests);
    const token = serviceToken(projectId, userId);
    await store.meta.serviceTokens.insert(token, 'dstack_st_1');
    const received: Received = [];
    store.access.onChanged((subject) => received.push(subject));
    await store.meta.serviceTokens.delete([token.id]);
    expect(received).toEqual([{ kind: 'project', id: projectId }]);
  });

  it('recognises its tokens, including revoked ones', async () => {
    const { store, projectId, userId } = await openWorld(tests);
    const bob = userRecord({ name: 'bob', token: 'of bob' });
    await store.users.insert(bob);
    const token = serviceToken(projectId, userId);
    await store.meta.serviceTokens.insert(token, 'of a program');
    await store.users.setToken(userId, 'first of alice');
    await store.users.setToken(userId, 'second of alice');
    await store.users.setToken(userId, 'first of alice');
    const known = ['of bob', 'of a program', 'first of alice', 'second of alice'];
    const answers = () => Promise.all([...known, 'of an app'].map(store.access.isToken));
    expect(await answers()).toEqual([true, true, true, true, false]);
    await store.users.delete([bob.id]);
    await store.meta.serviceTokens.delete([token.id]);
    expect(await answers()).toEqual([true, true, true, true, false]);
    expect(await store.users.byToken('of bob')).toBeNull();
  });

  it('returns the keys of users with a role in a project, and of global admins', async () => {
    const { store, projectId } = await openWorld(tests);
    const { users, projects, access } = store;
    const named = (name: string, more = {}) =>
      userRecord({ name, sshPublicKey: `ssh-rsa ${name}`, ...more });
    const [boss, mary, user] = [
      named('boss', { globalRole: 'admin' }),
      named('mary'),
      named('user'),
    ];
    const keyless = named('keyless', { sshPublicKey: null });
    for (const one of [boss, mary, user, keyless, named('stranger')]) await users.insert(one);
    await projects.setMembers(projectId, [
      { userId: mary.id, role: 'manager' },
      { userId: keyless.id, role: 'admin' },
      { userId: user.id, role: 'user' },
    ]);
    const laptop = { id: 'k1', name: 'laptop', type: 'ssh-ed25519', fingerprint: 'SHA256:x' };
    await users.addPublicKey({ ...laptop, userId: mary.id, key: 'ssh-ed25519 LAPTOP', addedAt: 1 });
    const managers = async () => {
      const keys = await access.keysOf(projectId, ['admin', 'manager']);
      return keys.map((one) => `${one.user}: ${one.key}`);
    };
    const ofMary = ['mary: ssh-ed25519 LAPTOP', 'mary: ssh-rsa mary'];
    expect(await managers()).toEqual(['boss: ssh-rsa boss', ...ofMary]);
    expect(await access.keysOf(projectId, ['admin', 'manager', 'user'])).toContainEqual({
      ...{ user: 'user', key: 'ssh-rsa user' },
    });
    await users.update(mary.id, { active: false });
    expect(await managers()).toEqual(['boss: ssh-rsa boss']);
    await users.delete([boss.id]);
    expect(await managers()).toEqual([]);
  });

  if (tests.dialect === 'postgres') betweenServers(tests);
});

function betweenServers(tests: StoreTests): void {
  it('notifies every server, and reports all users if notifications may be lost', async () => {
    const { store, url, userId } = await openWorld(tests);
    const other = await tests.open({ url });
    const received = { here: [] as Received, there: [] as Received };
    store.access.onChanged((subject) => received.here.push(subject));
    other.access.onChanged((subject) => received.there.push(subject));
    await store.users.setToken(userId, 'another');
    const subject = { kind: 'user', id: userId };
    await vi.waitFor(() => expect(received.there).toEqual([subject]));
    expect(received.here).toEqual([subject]);
    await rawSql(
      url,
      `select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'dstack signals' and datname = current_database()`,
    );
    await vi.waitFor(() => expect(received.there).toEqual([subject, null]), { timeout: 10_000 });
  });
}

function serviceToken(projectId: string, createdBy: string): ServiceTokenRecord {
  return {
    ...{ id: randomUUID(), projectId, name: 'ci', scope: 'read', createdBy, createdAt: 1 },
    ...{ expiresAt: null, lastUsedAt: null, models: null, services: null, limits: null },
  };
}
