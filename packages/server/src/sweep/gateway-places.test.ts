import { placeKey } from '@dstack/backends';
import type { ListedThing } from '@dstack/core';
import { expect, it } from 'vitest';
import { accountFor } from './listed-things.ts';

const NONE = { instance: new Set(), volume: new Set(), group: new Set(), gateway: new Set() };

interface World {
  readonly replicas?: number | null;
  readonly deleted?: boolean;
  readonly status?: 'running' | 'failed';
  /** Numbers of the replicas that have not ended. */
  readonly living?: readonly number[];
  /** Where the thing is; omitted = where the gateway is. */
  readonly region?: string;
  /** Where the replicas are; omitted = where the gateway is. */
  readonly replicaRegion?: string | null;
}

/** Whether what a replica keeps has a record. `number`: null = all replicas share it. */
async function isAccountedFor(number: number | null, world: World | null): Promise<boolean> {
  const view = world && {
    gateway: {
      ...{ deleted: world.deleted ?? false, status: world.status ?? 'running' },
      ...{ configuration: { replicas: world.replicas ?? null }, region: 'eu' },
    },
    replicas: (world.living ?? []).map((replicaNum) => ({
      ...{ replicaNum, deleted: false, scaleIn: false },
      region: world.replicaRegion === undefined ? 'eu' : world.replicaRegion,
    })),
  };
  const store = {
    sweeps: { knownIds: async () => NONE },
    gateways: { byId: async (id: string) => (id === 'g' ? view : null) },
    engine: { intent: async () => null },
  } as unknown as Parameters<typeof accountFor>[0];
  const thing: ListedThing = {
    ...{ kind: 'gateway', handle: { id: 'eipalloc-1', data: '{}' } },
    region: world?.region ?? 'eu',
    ...{ owner: { project: 'main', fleet: '', instance: 'edge-0' }, key: placeKey('g', number) },
  };
  const of = { project: { id: 'p', name: 'main' }, backend: 'aws', orphans: [], now: 0 } as const;
  const [listed] = await accountFor(store, [thing], of);
  return listed?.isAccountedFor ?? false;
}

it.each([
  ['of a gateway whose replica waits for another machine', 0, {}, true],
  ['of a second replica that is wanted', 1, { replicas: 2 }, true],
  ['of a gateway whose replica has another number and waits for a machine', 1, {}, true],
  ['of a first replica that another one has replaced', 0, { living: [1] }, false],
  ['of a second replica that is wanted no more', 1, { living: [0] }, false],
  ['of a second replica that is wanted no more and has not ended', 1, { living: [0, 1] }, true],
  ['of a deleted gateway', 0, { deleted: true }, false],
  ['of a gateway without a record', 0, null, false],
  ['of a gateway that has failed', 0, { status: 'failed' }, false],
  ['of a gateway that has failed and is ending', 0, { status: 'failed', living: [0] }, true],
  ['in a region that the gateway has left', 0, { region: 'us', living: [0] }, false],
  ['in a region where no replica is', 0, { region: 'us' }, false],
  [
    'that replicas shared in a region that they have left',
    null,
    { region: 'us', living: [0] },
    false,
  ],
  [
    'of a replica that has not left its region',
    0,
    { region: 'us', replicaRegion: 'us', living: [0] },
    true,
  ],
  ['of a replica whose record has no region', 0, { replicaRegion: null, living: [0] }, true],
  ['that the replicas of a gateway share', null, {}, true],
  ['that the replicas of a deleted gateway shared', null, { deleted: true }, false],
  ['that the replicas of a failed gateway shared', null, { status: 'failed' }, false],
] as const)('something %s is an orphan, or is not', async (_, number, world, isKept) => {
  expect(await isAccountedFor(number, world)).toBe(isKept);
});
