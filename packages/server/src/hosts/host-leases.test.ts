import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HostLeases } from './host-leases.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/**
 * A database that several servers share: the holder of each host, and whether the database answers.
 */
function database() {
  const owners = new Map<string, string>();
  const state = { away: false, orphans: [] as string[], renewals: 0 };
  const reach = () => {
    if (state.away) throw new Error('the database does not answer');
  };
  const engine = {
    async claimHost(hostId: string, owner: string) {
      reach();
      if (owners.has(hostId)) return false;
      owners.set(hostId, owner);
      return true;
    },
    async renewHosts(hostIds: readonly string[], owner: string) {
      reach();
      state.renewals += 1;
      return hostIds.filter((hostId) => owners.get(hostId) === owner);
    },
    async releaseHost(hostId: string, owner: string) {
      if (owners.get(hostId) === owner) owners.delete(hostId);
    },
    hostOwner: async (hostId: string) => owners.get(hostId) ?? null,
    orphanedHosts: async () => state.orphans,
  };
  return { owners, state, engine };
}

function leases({ engine }: ReturnType<typeof database>, owner: string, shared = true) {
  const lost: string[] = [];
  const orphans: string[] = [];
  const made = new HostLeases({
    store: { shared, engine },
    owner,
    log: pino({ level: 'silent' }),
    onLost: (hostId) => void lost.push(hostId),
    onOrphan: async (hostId) => {
      orphans.push(`${hostId} of ${await engine.hostOwner(hostId)}`);
    },
  });
  made.start();
  return { made, lost, orphans };
}

it('gives a host to one server, and to the next when it is released', async () => {
  const shared = database();
  const [one, two] = [leases(shared, 'one').made, leases(shared, 'two').made];
  expect(await one.claim('host')).toBe(true);
  expect(await two.claim('host')).toBe(false);
  expect([one.holds('host'), two.holds('host')]).toEqual([true, false]);
  expect([await one.isElsewhere('host'), await two.isElsewhere('host')]).toEqual([false, true]);
  await one.release('host');
  expect(await two.isElsewhere('host')).toBe(false);
  expect(await two.claim('host')).toBe(true);
  expect(await one.isElsewhere('host')).toBe(true);
});

it('keeps a lease as long as it can be renewed', async () => {
  const { made, lost } = leases(database(), 'one');
  await made.claim('host');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(made.holds('host')).toBe(true);
  expect(lost).toEqual([]);
});

it('releases a host that another server has taken', async () => {
  const shared = database();
  const { made, lost } = leases(shared, 'one');
  await made.claim('host');
  shared.owners.set('host', 'two');
  await vi.advanceTimersByTimeAsync(3000);
  expect(lost).toEqual(['host']);
  expect(made.holds('host')).toBe(false);
});

it('releases a host that another server may have taken, while the database does not answer', async () => {
  const shared = database();
  const { made, lost } = leases(shared, 'one');
  await made.claim('host');
  shared.state.away = true;
  await vi.advanceTimersByTimeAsync(6000);
  expect(lost).toEqual([]);
  await vi.advanceTimersByTimeAsync(6000);
  expect(lost).toEqual(['host']);
});

it('reports hosts whose server has ended, under their leases', async () => {
  const shared = database();
  const { made, orphans } = leases(shared, 'one');
  shared.state.orphans = ['left'];
  await vi.advanceTimersByTimeAsync(3000);
  expect(orphans).toEqual(['left of one']);
  expect([...shared.owners]).toEqual([]);
  expect(await made.claim('left')).toBe(true);
});

it('does not report a host as lost to which another server has linked meanwhile', async () => {
  const shared = database();
  const { orphans } = leases(shared, 'one');
  shared.state.orphans = ['left'];
  shared.owners.set('left', 'two');
  await vi.advanceTimersByTimeAsync(3000);
  expect(orphans).toEqual([]);
  expect([...shared.owners]).toEqual([['left', 'two']]);
});

it('renews the leases on all hosts in one statement', async () => {
  const shared = database();
  const { made, lost } = leases(shared, 'one');
  for (let n = 0; n < 100; n++) await made.claim(`host-${n}`);
  shared.owners.set('host-7', 'two');
  await vi.advanceTimersByTimeAsync(3000);
  expect(shared.state.renewals).toBe(1);
  expect(lost).toEqual(['host-7']);
});

it('holds everything and writes nothing if there is one server', async () => {
  const alone = database();
  alone.state.away = true;
  const { made } = leases(alone, 'one', false);
  expect(await made.claim('host')).toBe(true);
  expect(made.holds('any')).toBe(true);
  expect(await made.isElsewhere('any')).toBe(false);
});
