import type { Offer } from '@dstack/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CredentialsError, NoAnswerError } from '../errors.ts';
import { LiveOffers } from './live-offers.ts';

const MINUTE_MS = 60_000;

let now: number;
let asked: number;
let writes: number;
let stored: Map<string, string>;
/** Answers a request for offers as the provider does now. */
let answer: () => Promise<readonly Offer[]>;

beforeEach(() => {
  now = 1_700_000_000_000;
  asked = 0;
  writes = 0;
  stored = new Map();
  answer = async () => [offer('small', 1)];
});

function offer(name: string, price: number): Offer {
  const instance = { name, resources: { spot: false, gpus: [] } };
  return { instance, region: 'us', price, availability: 'available' } as unknown as Offer;
}

const started = () =>
  new LiveOffers({
    title: 'Lambda',
    ask: () => {
      asked += 1;
      return answer();
    },
    facts: {
      get: async (key) => stored.get(key) ?? null,
      set: async (key, value) => {
        writes += 1;
        stored.set(key, value);
      },
    },
    factKey: 'offers',
    now: () => now,
  });

const prices = async (offers: LiveOffers) =>
  (await offers.answer()).offers.map(({ price }) => price);
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('live offers', () => {
  it('are asked for once by all who need them, and again when they are old', async () => {
    const offers = started();
    expect(await Promise.all([prices(offers), prices(offers)])).toEqual([[1], [1]]);
    expect(asked).toBe(1);
    answer = async () => [offer('small', 2)];
    now += MINUTE_MS;
    // The known ones are the answer, while the new ones are asked for.
    expect(await prices(offers)).toEqual([1]);
    await settled();
    expect(await prices(offers)).toEqual([2]);
    expect(asked).toBe(2);
  });

  it('are known at once after a restart, with their age if they are old', async () => {
    await prices(started());
    answer = () => new Promise(() => {});
    now += 3 * MINUTE_MS;
    const { offers, notes } = await started().answer();
    expect(offers).toHaveLength(1);
    expect(notes).toEqual(['prices and availability of Lambda are 3 minutes old']);
  });

  it('are stored again when they change, and seldom while they do not', async () => {
    const offers = started();
    const askedAgain = async (ms: number) => {
      now += ms;
      await offers.answer();
      await settled();
      return writes;
    };
    await prices(offers);
    expect([await askedAgain(MINUTE_MS), await askedAgain(MINUTE_MS)]).toEqual([1, 1]);
    expect(await askedAgain(10 * MINUTE_MS)).toBe(2);
    answer = async () => [offer('small', 2)];
    expect(await askedAgain(MINUTE_MS)).toBe(3);
    expect(asked).toBe(5);
  });

  it('are asked for if what is stored cannot be read', async () => {
    stored.set('offers', '{"offers": [');
    expect(await prices(started())).toEqual([1]);
  });

  it('name the reason why they are old', async () => {
    const offers = started();
    await prices(offers);
    answer = () => Promise.reject(new NoAnswerError('Lambda: no answer'));
    now += 150 * MINUTE_MS;
    await offers.answer();
    await settled();
    expect((await offers.answer()).notes).toEqual([
      'prices and availability of Lambda are 2 hours old, because it did not answer: Lambda: no answer',
    ]);
  });

  it('reject where nothing is known, and as soon as the credentials are refused', async () => {
    answer = () => Promise.reject(new NoAnswerError('Lambda: no answer'));
    await expect(started().answer()).rejects.toThrow('no answer');
    answer = async () => [offer('small', 1)];
    const offers = started();
    await prices(offers);
    answer = () => Promise.reject(new CredentialsError('Lambda: the key was deleted'));
    now += MINUTE_MS;
    await offers.answer().catch(() => {});
    await settled();
    await expect(offers.answer()).rejects.toThrow('the key was deleted');
  });

  it('show for a while what the provider has refused', async () => {
    const offers = started();
    await prices(offers);
    const availability = async () => (await offers.answer()).offers[0]?.availability;
    offers.refused(offer('small', 1), 'capacity', 'sold out');
    expect(await availability()).toBe('not_available');
    const { instance, ...rest } = offer('small', 1);
    const spot = { ...instance, resources: { ...instance.resources, spot: true } };
    offers.refused({ ...rest, instance: spot }, 'quota');
    expect(await availability()).toBe('not_available');
    now += 2 * MINUTE_MS;
    expect(await availability()).toBe('available');
    offers.refused(offer('small', 1), 'quota', 'Lambda: 4 instances at most');
    const { notes } = await offers.answer();
    expect(notes).toEqual([
      'no quota: small (spot) in us',
      'no quota: small in us: Lambda: 4 instances at most',
    ]);
    now += 2 * MINUTE_MS;
    expect(await availability()).toBe('no_quota');
    now += 5 * MINUTE_MS;
    expect(await availability()).toBe('available');
    expect((await offers.answer()).notes).toEqual([]);
  });

  it('are asked for again after a clock that was a year ahead', async () => {
    const offers = started();
    now += 365 * 1440 * MINUTE_MS;
    await prices(offers);
    offers.refused(offer('small', 1), 'quota', 'full');
    now -= 365 * 1440 * MINUTE_MS;
    answer = async () => [offer('small', 2)];
    await prices(offers);
    await settled();
    expect(await offers.answer()).toMatchObject({
      offers: [{ price: 2, availability: 'available' }],
    });
  });
});

describe('offers of which nothing is known', () => {
  const listing = (listed: readonly Offer[]) =>
    new LiveOffers({
      ...{ title: 'AWS', ask: () => answer(), factKey: 'offers', now: () => now },
      facts: { get: async () => null, set: async () => {} },
      listed: () => listed,
    });

  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  it('are those of the price list while the provider does not answer, and its own afterwards', async () => {
    const answered = Promise.withResolvers<readonly Offer[]>();
    answer = () => answered.promise;
    const offers = listing([offer('listed', 3)]);
    const first = offers.answer();
    await vi.advanceTimersByTimeAsync(200);
    const { offers: shown, notes } = await first;
    expect(shown.map(({ price }) => price)).toEqual([3]);
    expect(notes).toEqual([
      'AWS has not answered yet, so these are the prices of the catalogue and availability is not known',
    ]);
    // Orders wait for the provider.
    const price = offers.priceOf(offer('listed', 3));
    answered.resolve([offer('listed', 4)]);
    expect(await price).toBe(4);
    expect(await offers.answer()).toMatchObject({ offers: [{ price: 4 }], notes: [] });
  });

  it('wait for the provider where the price list is empty', async () => {
    const answered = Promise.withResolvers<readonly Offer[]>();
    answer = () => answered.promise;
    const first = listing([]).answer();
    await vi.advanceTimersByTimeAsync(5000);
    answered.resolve([offer('small', 1)]);
    expect((await first).offers).toHaveLength(1);
  });

  it('are refused if the provider refuses the credentials, also after a plan was given', async () => {
    const refused = Promise.withResolvers<readonly Offer[]>();
    answer = () => refused.promise;
    const offers = listing([offer('listed', 3)]);
    const first = offers.answer();
    await vi.advanceTimersByTimeAsync(200);
    await first;
    refused.reject(new CredentialsError('no such key'));
    await vi.advanceTimersByTimeAsync(0);
    await expect(offers.answer()).rejects.toThrow('no such key');
  });
});
