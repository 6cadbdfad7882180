import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { SessionRecord } from '../schema/account-records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';

const HOUR = 3_600_000_000;

/** Alice's token is the one of the test records. */
async function opened(
  { store, userId }: World,
  name: string,
  set: Partial<SessionRecord> = {},
): Promise<SessionRecord> {
  const session: SessionRecord = {
    id: randomUUID(),
    userId,
    persistent: false,
    createdAt: HOUR,
    lastUsedAt: HOUR,
    expiresAt: 2 * HOUR,
    ...set,
  };
  const token = (await store.users.credentials(userId))?.token ?? '';
  const how = { key: `key ${name}`, secret: `secret ${name}`, token };
  expect(await store.sessions.open(session, how)).toBe('opened');
  return session;
}

const proof = (name: string) => ({ key: `key ${name}`, secrets: [`secret ${name}`] });

forEachStore((tests) => {
  it('finds a session by its key and one of several cookies', async () => {
    const world = await openWorld(tests);
    const session = await opened(world, 'a', { persistent: true });
    const { sessions } = world.store;
    const both = { key: 'key a', secrets: ['another', 'secret a'] };
    const found = await sessions.find(both, HOUR);
    expect(found?.session).toEqual(session);
    expect(found?.user).toMatchObject({ id: world.userId, name: 'alice' });
    expect(await sessions.find({ key: 'key a', secrets: [] }, HOUR)).toBeNull();
    expect(await sessions.find({ key: 'key a', secrets: ['key a'] }, HOUR)).toBeNull();
    expect(await sessions.find({ key: 'key b', secrets: ['secret a'] }, HOUR)).toBeNull();
  });

  it('stores neither part of the proof', async () => {
    const world = await openWorld(tests);
    await opened(world, 'a');
    expect(await world.store.access.isToken('secret a')).toBe(false);
    const exposed = { key: 'secret a', secrets: ['key a'] };
    expect(await world.store.sessions.find(exposed, HOUR)).toBeNull();
  });

  it('does not find an expired session, and finds an extended one', async () => {
    const world = await openWorld(tests);
    const { sessions } = world.store;
    const { id } = await opened(world, 'a');
    expect(await sessions.find(proof('a'), 2 * HOUR)).toBeNull();
    await sessions.extend(id, { lastUsedAt: 2 * HOUR, expiresAt: 3 * HOUR });
    const found = await sessions.find(proof('a'), 2 * HOUR);
    expect(found?.session).toMatchObject({ lastUsedAt: 2 * HOUR, expiresAt: 3 * HOUR });
  });

  it('ends all sessions of a user whose token is replaced', async () => {
    const world = await openWorld(tests);
    const { sessions, users } = world.store;
    await opened(world, 'a');
    await users.setToken(world.userId, 'new token');
    expect(await sessions.find(proof('a'), HOUR)).toBeNull();
    expect(await sessions.deleteInvalid(0)).toBe(1);
  });

  it('keeps the session from which its user replaces the token', async () => {
    const world = await openWorld(tests);
    const { sessions, users } = world.store;
    const { id } = await opened(world, 'a');
    await opened(world, 'b');
    await users.setToken(world.userId, 'new token', {}, id);
    expect((await sessions.find(proof('a'), HOUR))?.session.id).toBe(id);
    expect(await sessions.find(proof('b'), HOUR)).toBeNull();
  });

  it('refuses a session for a token that has been replaced', async () => {
    const world = await openWorld(tests);
    const session = await opened(world, 'a');
    const how = { key: 'k', secret: 's', token: 'an older token' };
    const again = { ...session, id: randomUUID() };
    expect(await world.store.sessions.open(again, how)).toBe('refused');
    expect(await world.store.sessions.find({ key: 'k', secrets: ['s'] }, HOUR)).toBeNull();
  });

  it.each([
    ['inactive', (w: World) => w.store.users.update(w.userId, { active: false })],
    ['deleted', (w: World) => w.store.users.delete([w.userId])],
  ])('does not find sessions of an %s user', async (_state, change) => {
    const world = await openWorld(tests);
    await opened(world, 'a');
    await change(world);
    expect(await world.store.sessions.find(proof('a'), HOUR)).toBeNull();
  });

  it('ends one session or all of a user, and reports that access changed', async () => {
    const world = await openWorld(tests);
    const { sessions, access } = world.store;
    const first = await opened(world, 'a');
    for (const name of ['b', 'c']) await opened(world, name);
    const reported: unknown[] = [];
    access.onChanged((subject) => reported.push(subject));
    await sessions.end(first);
    expect(await sessions.find(proof('a'), HOUR)).toBeNull();
    expect(await sessions.find(proof('b'), HOUR)).not.toBeNull();
    await sessions.endAll(world.userId);
    expect(await sessions.find(proof('b'), HOUR)).toBeNull();
    expect(await sessions.find(proof('c'), HOUR)).toBeNull();
    const user = { kind: 'user', id: world.userId };
    expect(reported).toEqual([user, user]);
  });

  it('keeps the fifty sessions that were used last', async () => {
    const world = await openWorld(tests);
    const { sessions } = world.store;
    await opened(world, 'first', { lastUsedAt: 1 });
    await opened(world, 'used', { lastUsedAt: HOUR + 100 });
    for (let i = 0; i < 49; i++) await opened(world, `s${i}`, { lastUsedAt: HOUR + i });
    expect(await sessions.find(proof('first'), HOUR)).toBeNull();
    expect(await sessions.find(proof('used'), HOUR)).not.toBeNull();
    expect(await sessions.find(proof('s0'), HOUR)).not.toBeNull();
  });

  it('deletes expired sessions only', async () => {
    const world = await openWorld(tests);
    const { sessions } = world.store;
    await opened(world, 'old');
    await opened(world, 'new', { expiresAt: 5 * HOUR });
    expect(await sessions.deleteInvalid(3 * HOUR)).toBe(1);
    expect(await sessions.find(proof('new'), HOUR)).not.toBeNull();
  });
});
