import {
  type Backend,
  BackendError,
  BusyError,
  NoAnswerError,
  NoCapacityError,
  orderedProvisioningData,
  PreparingError,
  RefusedOrderError,
  SkipOfferError,
  TurnError,
} from '@dstack/backends';
import { capabilitiesOf, type Offer, type ProvisioningData } from '@dstack/core';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { BackendTimeoutError } from '../offers/bounded-backend.ts';
import { createInstance } from './create-instance.ts';
import { NotNow } from './not-now.ts';

const offer = (name: string) =>
  ({ backend: 'aws', region: 'us', instance: { name }, price: 1 }) as unknown as Offer;

const order = {
  key: 'instance.create:i:0',
  instanceId: 'i',
  owner: { server: 's', project: 'main', fleet: 'pool', instance: 'pool-0' },
  authorizedKeys: [],
  tags: {},
  reservation: null,
  volumes: [],
  group: null,
};

/** A backend that answers each offer with the outcome of that name. */
function attempt(
  outcomes: Readonly<Record<string, Error | 'made' | ProvisioningData>>,
  {
    maxTries = 25,
    inDoubt = null,
    isOpen = true,
  }: { maxTries?: number; inDoubt?: number | null; isOpen?: boolean } = {},
) {
  const tried: string[] = [];
  const shown: string[] = [];
  const begun: string[][] = [];
  const backend: Backend = {
    name: 'aws',
    capabilities: capabilitiesOf('aws'),
    signalsCapacity: false,
    offers: async () => ({ offers: [], notes: [] }),
    instances: {
      async create({ offer }) {
        const name = offer?.instance.name ?? '';
        tried.push(name);
        const outcome = outcomes[name];
        if (outcome instanceof Error) throw outcome;
        const provisioningData = outcome === 'made' || !outcome ? null : outcome;
        return { hostId: 'h', handle: { id: 'm-1', data: null }, provisioningData };
      },
      observe: async () => ({ state: 'missing' }),
      release: async () => 'released',
      list: async () => [],
    },
    volumes: null,
    groups: null,
    check: async () => [],
  };
  const offers = Object.keys(outcomes).map(offer);
  const result = createInstance({
    offers,
    maxTries,
    order,
    name: 'pool-0',
    placementGroup: async () => null,
    asking: async () => {},
    ...{ sending: async () => {}, notSent: async () => {} },
    inDoubt: (left) => inDoubt === left,
    wasAsked: (left) => inDoubt === left,
    show: (text) => void shown.push(text),
    where: null,
    totalOffers: offers.length,
    backend: async () => (isOpen ? backend : null),
    begin: async (remaining) => {
      begun.push(remaining.map(({ instance }) => instance.name));
    },
    log: pino({ level: 'silent' }),
  });
  return { tried, shown, begun, result };
}

describe('creating an instance', () => {
  it('takes the first offer that is accepted', async () => {
    const { tried, result } = attempt({ a: new NoCapacityError('full'), b: 'made', c: 'made' });
    expect(await result).toMatchObject({
      kind: 'instance.created',
      offer: { instance: { name: 'b' } },
      handle: { id: 'm-1' },
      provisioningData: { instance_id: 'm-1', hostname: null },
    });
    expect(tried).toEqual(['a', 'b']);
  });

  it('reports the price and type of the machine that there is, of whichever offer it is', async () => {
    const earlier = orderedProvisioningData({ ...offer('a'), price: 0.75 }, 'm-1');
    expect(await attempt({ b: earlier }).result).toMatchObject({
      offer: { backend: 'aws', instance: { name: 'a' }, price: 0.75 },
      provisioningData: { price: 0.75 },
    });
  });

  it('shows why other offers are tried, once for each reason', async () => {
    const full = new NoCapacityError('no A100 left');
    const { shown, result } = attempt({
      a: full,
      b: full,
      c: new BackendError('broken'),
      d: 'made',
    });
    await result;
    expect(shown).toEqual([
      'trying another offer (a in aws/us: no A100 left)',
      'trying another offer (a, b in aws/us: no A100 left; c in aws/us: broken)',
    ]);
  });

  it('shows nothing of an order that is accepted at once', async () => {
    const { shown, result } = attempt({ a: 'made' });
    await result;
    expect(shown).toEqual([]);
  });

  it.each([
    [
      'its turn, however many are ahead',
      new TurnError('waiting for a turn, behind 7 of the same kind'),
      'waits for its turn: the account at aws allows few calls',
    ],
    [
      'a provider that takes no orders now',
      new PreparingError('429', { cause: new BusyError('429') }),
      'waits until aws takes orders again',
    ],
  ])('shows that it waits for %s', async (_what, error, text) => {
    const { shown, result } = attempt({ a: error });
    await expect(result).rejects.toThrow(NotNow);
    expect(shown).toEqual([text]);
  });

  it('names how many offers were tried and at most three different errors', async () => {
    const errors = Object.fromEntries(
      ['a', 'b', 'c', 'd'].map((name) => [name, new BackendError(`no ${name}`)]),
    );
    expect(await attempt(errors).result).toEqual({
      kind: 'no-capacity',
      message:
        'All offers failed. Tried 4 of 4 offers: a in aws/us: no a; b in aws/us: no b; c in aws/us: no c and 1 more',
    });
  });

  it('names an error of several offers once, with at most three of them', async () => {
    const full = new NoCapacityError('full');
    const errors = { a: full, b: full, c: full, d: full, e: new BackendError('broken') };
    expect(await attempt(errors).result).toMatchObject({
      message:
        'All offers failed. Tried 5 of 5 offers: a, b, c and 1 more in aws/us: full; e in aws/us: broken',
    });
  });

  it('does not try the other offers of a region that refuses the order itself', async () => {
    const refused = new RefusedOrderError('no such queue');
    const { tried, result } = attempt({ a: refused, b: 'made', c: 'made' });
    expect(await result).toEqual({
      kind: 'no-capacity',
      message: 'All offers failed. Tried 1 of 3 offers: aws/us: no such queue',
    });
    expect(tried).toEqual(['a']);
  });

  it('waits for a backend that prepares itself, which is neither an error nor a try', async () => {
    const preparing = new PreparingError('copying the agent to login (3 of 47 MB)');
    const { tried, result } = attempt({ a: preparing, b: 'made' });
    await expect(result).rejects.toThrow(NotNow);
    await expect(result).rejects.toThrow('copying the agent to login (3 of 47 MB)');
    expect(tried).toEqual(['a']);
  });

  it('does not try another offer while a backend may still create a machine', async () => {
    const silent = new BackendTimeoutError('aws', 'for an instance', 1000);
    const { tried, result } = attempt({ a: silent, b: 'made' });
    await expect(result).rejects.toBe(silent);
    expect(tried).toEqual(['a']);
  });

  it('resolves an earlier attempt, which may have created a machine, before it tries another offer', async () => {
    const broken = attempt({ a: new BackendError('429'), b: 'made' }, { inDoubt: 2 });
    await expect(broken.result).rejects.toBeInstanceOf(NoAnswerError);
    expect(broken.tried).toEqual(['a']);
    const full = attempt({ a: new NoCapacityError('full'), b: 'made' }, { inDoubt: 2 });
    expect(await full.result).toMatchObject({ offer: { instance: { name: 'b' } } });
    const later = attempt({ a: new BackendError('429'), b: 'made' }, { inDoubt: 1 });
    expect(await later.result).toMatchObject({ offer: { instance: { name: 'b' } } });
  });

  it('does not give up a machine that may exist because its backend was deleted meanwhile', async () => {
    const gone = attempt({ a: 'made' }, { inDoubt: 1, isOpen: false });
    await expect(gone.result).rejects.toBeInstanceOf(NoAnswerError);
    const unasked = attempt({ a: 'made' }, { isOpen: false });
    expect(await unasked.result).toMatchObject({ kind: 'no-capacity' });
  });

  it('records before each attempt where a repetition begins', async () => {
    const silent = new BackendTimeoutError('aws', 'for an instance', 1000);
    const { begun, result } = attempt({ a: new NoCapacityError('full'), b: silent, c: 'made' });
    await expect(result).rejects.toBe(silent);
    expect(begun).toEqual([
      ['a', 'b', 'c'],
      ['b', 'c'],
    ]);
  });

  it('stops after the number of tries it may make, skipped offers not counted', async () => {
    const full = new NoCapacityError('full');
    const { tried, result } = attempt(
      { s: new SkipOfferError('wrong kind'), a: full, b: full, c: 'made' },
      { maxTries: 2 },
    );
    expect(await result).toMatchObject({ kind: 'no-capacity' });
    expect(tried).toEqual(['s', 'a', 'b']);
  });
});
