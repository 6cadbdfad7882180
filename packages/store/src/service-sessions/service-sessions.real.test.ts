import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { newEvent, runRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type StoreTests, type World } from '../testing/stores.ts';

const MINUTE = 60_000_000;

interface SignedIn extends World {
  readonly runId: string;
  readonly session: { readonly id: string; readonly userId: string };
}

async function insertRun({ store, projectId, userId }: World, name: string): Promise<string> {
  const run = runRecord({ projectId, userId, name });
  await store.engine.submitRun({
    projectId,
    name: { exact: run.name },
    build: () => ({ run, jobs: [] }),
    superseded: () => newEvent(''),
  });
  return run.id;
}

/** Alice's browser is signed in until minute 100. */
async function signedIn(tests: StoreTests): Promise<SignedIn> {
  const world = await openWorld(tests);
  const { store, userId } = world;
  const times = { createdAt: 0, lastUsedAt: 0, expiresAt: 100 * MINUTE };
  const session = { id: randomUUID(), userId, persistent: false, ...times };
  const token = (await store.users.credentials(userId))?.token ?? '';
  await store.sessions.open(session, { key: 'key', secret: 'secret', token });
  return { ...world, session, runId: await insertRun(world, 'web') };
}

async function issued({ store, session, runId }: SignedIn, code: string): Promise<void> {
  const times = { createdAt: 0, expiresAt: MINUTE };
  const of = { sessionId: session.id, runId };
  await store.serviceSessions.issue({ code, state: 'state', ...of, ...times });
}

const use = (runId: string, code: string, secret: string) => ({
  ...{ code, secret, runId, states: ['old', 'state'] },
  ...{ now: 0, expiresAt: 50 * MINUTE },
});

forEachStore((tests) => {
  it('exchanges a code once', async () => {
    const world = await signedIn(tests);
    const { serviceSessions } = world.store;
    await issued(world, 'code');
    const [one, two] = await Promise.all([
      serviceSessions.redeem(use(world.runId, 'code', 'one')),
      serviceSessions.redeem(use(world.runId, 'code', 'two')),
    ]);
    expect([one, two].sort()).toEqual(['refused', 'signed-in']);
    const secrets = [one === 'signed-in' ? 'one' : 'two', 'another'];
    const found = await serviceSessions.find({ secrets, runId: world.runId }, MINUTE);
    expect(found).toMatchObject({ user: { name: 'alice' }, expiresAt: 50 * MINUTE });
  });

  it('refuses a code of another service, of another browser, and one that has expired', async () => {
    const world = await signedIn(tests);
    const { serviceSessions } = world.store;
    const other = await insertRun(world, 'other');
    const wrong = [{ runId: other }, { states: ['not it'] }, { states: [] }, { now: MINUTE }];
    for (const [index, change] of wrong.entries()) {
      await issued(world, `code ${index}`);
      const right = use(world.runId, `code ${index}`, `secret ${index}`);
      expect(await serviceSessions.redeem({ ...right, ...change })).toBe('refused');
      // The wrong use has used it up.
      expect(await serviceSessions.redeem(right)).toBe('refused');
    }
    expect(await serviceSessions.redeem(use(world.runId, 'unknown', 'x'))).toBe('refused');
  });

  it('takes no code for a cookie, and no cookie for a code', async () => {
    const world = await signedIn(tests);
    const { serviceSessions } = world.store;
    await issued(world, 'code');
    expect(await serviceSessions.find({ secrets: ['code'], runId: world.runId }, 0)).toBeNull();
    await serviceSessions.redeem(use(world.runId, 'code', 'secret 1'));
    expect(await serviceSessions.redeem(use(world.runId, 'secret 1', 'x'))).toBe('refused');
  });

  it('finds a browser only at its service, and until either session ends', async () => {
    const world = await signedIn(tests);
    const { serviceSessions, sessions } = world.store;
    await issued(world, 'code');
    await serviceSessions.redeem(use(world.runId, 'code', 'cookie'));
    const at = (runId: string, now: number) =>
      serviceSessions.find({ secrets: ['cookie'], runId }, now);
    expect(await at(await insertRun(world, 'other'), 0)).toBeNull();
    expect(await at(world.runId, 49 * MINUTE)).not.toBeNull();
    expect(await at(world.runId, 50 * MINUTE)).toBeNull();
    await sessions.end(world.session);
    expect(await at(world.runId, 0)).toBeNull();
  });

  it('refuses a code whose browser has signed out, and forgets expired rows', async () => {
    const world = await signedIn(tests);
    const { serviceSessions, sessions } = world.store;
    await issued(world, 'expired');
    expect(await serviceSessions.deleteExpired(2 * MINUTE)).toBe(1);
    await issued(world, 'code');
    await sessions.end(world.session);
    expect(await serviceSessions.redeem(use(world.runId, 'code', 'x'))).toBe('refused');
  });

  it('keeps the ten newest of a browser for a service', async () => {
    const world = await signedIn(tests);
    const { serviceSessions } = world.store;
    const of = { sessionId: world.session.id, runId: world.runId, state: 'state' };
    for (let i = 0; i < 12; i++) {
      await serviceSessions.issue({ ...of, code: `c${i}`, createdAt: i, expiresAt: MINUTE });
    }
    expect(await serviceSessions.redeem(use(world.runId, 'c1', 'x'))).toBe('refused');
    expect(await serviceSessions.redeem(use(world.runId, 'c2', 'x'))).toBe('signed-in');
  });
});
