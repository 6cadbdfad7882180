import { expect, it } from 'vitest';
import { factsInMemory } from '../testing/vm-world.ts';
import { isOldFact, OWNERS_FACT } from './account-facts.ts';
import { amendedFacts } from './amended-facts.ts';
import { VmOwners } from './vm-owners.ts';

const DAY_MS = 86_400_000;
const US_PER_MS = 1000;

it('writes tags again that a clock of a later day has written, so that they are not deleted', async () => {
  const facts = factsInMemory();
  let now = 30 * DAY_MS;
  const owners = new VmOwners({
    facts: { ...amendedFacts(facts, () => now), get: facts.get },
    ...{ factKey: OWNERS_FACT, now: () => now },
  });
  const tags = { 'dstack-key': 'one' };
  await owners.keep('vm', tags, []);
  now -= 3 * DAY_MS;
  expect(await owners.of([{ id: '1', name: 'vm' }])).toEqual(new Map([['1', tags]]));
  const key = `${OWNERS_FACT}:vm`;
  expect(isOldFact(key, (await facts.get(key)) ?? '', now * US_PER_MS)).toBe(false);
});
