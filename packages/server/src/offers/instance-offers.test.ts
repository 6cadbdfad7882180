import type { InstanceRecord, Offer } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { instanceOffers } from './instance-offers.ts';
import type { OfferSource } from './offer-source.ts';

const offer = (name: string, availability: Offer['availability']) =>
  ({ backend: 'aws', region: 'r', price: 1, availability, instance: { name } }) as Offer;

/** Names of the offers that are tried for an instance where a backend has these. */
async function tried(...offers: Offer[]): Promise<string[]> {
  const source = { answer: async () => ({ offers: new Map([['instance', offers]]) }) };
  const instance = { projectId: 'p', fleetId: 'f', requirements: {}, profile: null };
  const ask = instanceOffers(source as unknown as OfferSource);
  const found = await ask(instance as unknown as InstanceRecord);
  return found.map((one) => one.instance.name);
}

describe('offers for an instance of a fleet', () => {
  it('are those that are available', async () => {
    expect(await tried(offer('a', 'no_quota'), offer('b', 'available'))).toEqual(['b']);
  });

  it('are the others where none is: the last may have been taken for this very instance', async () => {
    expect(await tried(offer('a', 'no_quota'))).toEqual(['a']);
  });
});
