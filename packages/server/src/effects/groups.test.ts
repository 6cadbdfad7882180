import { NoAnswerError } from '@dstack/backends';
import type { GroupRecord, InstanceRecord, IntentOf, Offer } from '@dstack/core';
import { anOffer, groupRecord } from '@dstack/core/testing';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { simAccount } from '../sweep/testing/sim-account.ts';
import type { EffectsOptions } from './effects.ts';
import { createGroup, deleteGroup } from './groups.ts';
import { NotNow } from './not-now.ts';

type Create = IntentOf<'group.create'>;

function scene(part: Partial<GroupRecord> = {}) {
  const account = simAccount(0);
  const links: string[] = [];
  const group = groupRecord({ status: 'creating', handle: null, ...part });
  const members = group.memberIds.map((id) => ({ id, hostId: id })) as InstanceRecord[];
  const world = { group, backend: account.backend as typeof account.backend | null };
  const options = {
    store: {
      groups: {
        byId: async () => ({ group: world.group, projectName: 'main', fleetName: 'cluster' }),
      },
      instances: { byIds: async () => members },
      jobs: { byId: async () => null },
      engine: { amendIntent: async () => true },
    },
    backends: { find: async () => world.backend },
    links: {
      hold: async (id: string) => void links.push(`hold ${id}`),
      forget: async (id: string) => void links.push(`forget ${id}`),
    },
    ...{ serverId: 'server', now: () => 0, log: pino({ level: 'silent' }) },
  } as unknown as EffectsOptions;
  const intent = (offers: readonly Offer[] = [], asked?: number): Create => ({
    ...{ key: 'group.create:group-1:0', kind: 'group.create', subjectId: 'group-1', attempt: 0 },
    payload: {
      ...{ kind: 'group.create', offers, maxTries: 5, totalOffers: offers.length },
      ...(asked === undefined ? {} : { asked }),
    },
    ...{ state: 'announced', result: null, error: null, createdAt: 0, updatedAt: 0 },
  });
  const end = { ...intent(), kind: 'group.delete', payload: { kind: 'group.delete' } } as const;
  return {
    ...{ account, world, links },
    create: (...args: Parameters<typeof intent>) => createGroup(options, intent(...args)),
    delete: () => deleteGroup(options, end),
    listed: () => account.backend.groups?.list({ server: 'server' }),
  };
}

const ofGang: Partial<GroupRecord> = {
  ...{ kind: 'compute', backend: null, region: '', memberIds: ['i-1', 'i-2'] },
};

describe('a placement group', () => {
  it('is created once, with the tags of its owner', async () => {
    const { create, listed } = scene();
    const made = await create();
    expect(await create([], 0)).toEqual(made);
    const owner = { server: 'server', project: 'main', fleet: 'cluster', instance: '' };
    const handle = 'handle' in made ? made.handle : null;
    expect(await listed()).toEqual([{ handle, owner, key: 'group.create:group-1:0' }]);
  });

  it('is searched until it is certain that an earlier order has not created it', async () => {
    const { account, create } = scene();
    account.provider.calls.script('lost', 'refused');
    await expect(create()).rejects.toBeInstanceOf(NoAnswerError);
    await expect(create([], 0)).rejects.toBeInstanceOf(NoAnswerError);
    expect(await create([], 0)).toMatchObject({ kind: 'group.created' });
  });
});

describe('a compute group', () => {
  const offers = [anOffer({ backend: 'runpod', region: 'eu-2' })];

  it('takes the first offer with room for all of its machines', async () => {
    const { account, create } = scene(ofGang);
    account.faults.quota = 1;
    expect(await create(offers)).toMatchObject({ kind: 'no-capacity' });
    account.faults.quota = 2;
    expect(await create(offers)).toMatchObject({ kind: 'group.created', offer: offers[0] });
    expect(account.provider.isFull).toBe(true);
  });

  it('ends with its machines, and the loss of their agents is no error', async () => {
    const { account, world, create, links, listed, ...scened } = scene(ofGang);
    const made = await create(offers);
    if (made.kind !== 'group.created') throw new Error('there is no group');
    const { handle } = made;
    world.group = { ...world.group, handle, backend: 'runpod', status: 'deleting' };
    const [rank, size] = [0, 2];
    await account.order('server', 'instance.create:i-1:0', { handle, rank, size });
    account.faults.slowRelease = 1;
    await expect(scened.delete()).rejects.toBeInstanceOf(NotNow);
    expect(links).toEqual(['hold i-1', 'hold i-2']);
    expect(await scened.delete()).toEqual({ kind: 'ok' });
    expect(links.slice(-2)).toEqual(['forget i-1', 'forget i-2']);
    expect([await listed(), account.machines]).toEqual([[], []]);
  });
});

it('a group is kept if its backend was removed, and its status has the reason', async () => {
  const { world, ...scened } = scene({ status: 'deleting', handle: { id: 'pg-1', data: null } });
  world.backend = null;
  expect(await scened.delete()).toMatchObject({ kind: 'refused', reason: 'backend_missing' });
});
