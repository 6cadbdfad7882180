import type { Claims } from '@dstack/backends';
import { CLAIM_WATCH, SECOND, type SweepRecord } from '@dstack/core';
import { expect, it } from 'vitest';
import { ClaimKeeper, type ClaimKeeperOptions } from './claim-keeper.ts';

const HOUR = 3600 * SECOND;

/** Two projects with one account, each of which has a sweep. */
function world() {
  const clock = { now: 1_800_000_000 * SECOND };
  const facts = new Map<string, string>();
  const sweeps = new Map<string, SweepRecord>(
    ['first', 'second'].map((projectId) => [projectId, sweepOf(projectId, clock.now)]),
  );
  const store = {
    meta: {
      get: async (key: string) => facts.get(key) ?? null,
      set: async (key: string, value: string) => void facts.set(key, value),
      setOnce: async (key: string, value: string) => {
        if (!facts.has(key)) facts.set(key, value);
        return facts.get(key) ?? value;
      },
    },
    sweeps: {
      list: async () => [...sweeps.values()],
      save: async ({ sweep }: { sweep: SweepRecord }) => void sweeps.set(sweep.projectId, sweep),
    },
  } as unknown as ClaimKeeperOptions['store'];
  let claimed: Awaited<ReturnType<Claims['read']>> = [];
  const claims: Claims = {
    read: async () => claimed,
    renew: async (_owner, claim) => {
      claimed = [{ ...claim, renewedAt: clock.now }];
    },
  };
  const keeper = new ClaimKeeper({ store, serverId: 'server', now: () => clock.now });
  return {
    clock,
    deleteClaims: () => {
      claimed = [];
    },
    renew: async (projectId: string) => {
      const sweep = sweeps.get(projectId) ?? sweepOf(projectId, clock.now);
      const renewed = await keeper.renew(claims, sweep);
      sweeps.set(projectId, renewed);
      return renewed.hindrance;
    },
  };
}

function sweepOf(projectId: string, nextAt: number): SweepRecord {
  return {
    ...{ projectId, backend: 'lambda', sweptAt: null, nextAt, failures: 0, error: null },
    ...{ nonces: [], hindrance: null },
  };
}

it('claims that were deleted begin the watch of all projects with the account anew', async () => {
  const { clock, deleteClaims, renew } = world();
  await renew('first');
  await renew('second');
  for (let hour = 0; hour < 2 * (CLAIM_WATCH / HOUR); hour++) {
    clock.now += HOUR;
    deleteClaims();
    // The first one claims the account again before the second one looks.
    expect(await renew('first')).not.toBeNull();
    expect(await renew('second')).not.toBeNull();
  }
});

it('projects with one account end orphans after hours in which its claims were theirs', async () => {
  const { clock, renew } = world();
  for (const passed of [0, CLAIM_WATCH]) {
    clock.now += passed;
    const hindrances = [await renew('first'), await renew('second')];
    expect(hindrances.map((one) => one === null)).toEqual([passed > 0, passed > 0]);
  }
});
