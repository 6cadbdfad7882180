import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FleetRecord, InstanceRecord } from '../../model/index.ts';
import { place } from '../pass.ts';
import { aContext, aFleet, anInstance, anOffer } from '../testing.ts';
import { worlds } from '../testing-worlds.ts';
import { FleetCapacity } from './fleet-capacity.ts';
import { FleetIndex } from './fleet-index.ts';
import { capacityOf } from './kept-capacity.ts';

const FLEET: FleetRecord = aFleet('f', { nodes: '0..', blocks: 4, resources: { cpu: '4..' } });
const NUMBERS = 6;

/** A state of the instance with this number; the same number may be of another instance. */
const state = fc
  .record({
    num: fc.nat({ max: NUMBERS - 1 }),
    isSecond: fc.boolean(),
    cpus: fc.constantFrom(2, 4, 8),
    status: fc.constantFrom('pending', 'provisioning', 'idle', 'busy', 'terminating', 'terminated'),
    totalBlocks: fc.option(fc.constantFrom(1, 4)),
    busyBlocks: fc.nat({ max: 4 }),
    unreachable: fc.boolean(),
    isMade: fc.boolean(),
    version: fc.nat(),
  })
  .map(({ num, isSecond, cpus, isMade, ...patch }) => {
    const id = `i${num}${isSecond ? 'b' : ''}`;
    const made = anInstance(FLEET, num, anOffer({ cpus }), { ...patch, id } as never);
    return isMade ? made : { ...made, offer: null, provisioningData: null };
  });

const delta = fc.record({
  changed: fc.uniqueArray(state, { maxLength: 4, selector: ({ id }) => id }),
  removed: fc.uniqueArray(fc.nat({ max: NUMBERS - 1 }), { maxLength: 2 }),
});

type Delta = { readonly changed: readonly InstanceRecord[]; readonly removed: readonly number[] };

function* steps(deltas: readonly Delta[]) {
  let index = FleetIndex.of(FLEET, []);
  const present = new Map<string, InstanceRecord>();
  for (const { changed, removed } of deltas) {
    const ids = removed.map((num) => `i${num}`);
    for (const id of ids) present.delete(id);
    for (const one of changed) present.set(one.id, one);
    const before = index;
    index = index.advanced({ changed, removed: ids });
    yield { before, index, instances: [...present.values()] };
  }
}

const contentOf = ({ instances, alike, counts }: FleetIndex) => ({
  instances,
  alike: new Map([...alike].sort(([a], [b]) => (a < b ? -1 : 1))),
  counts,
});

describe('the index of a fleet, whatever happens to its instances', () => {
  it('is what an index made of the present records would be', () => {
    fc.assert(
      fc.property(fc.array(delta, { maxLength: 6 }), (deltas) => {
        for (const { index, instances } of steps(deltas)) {
          expect(contentOf(index)).toEqual(contentOf(FleetIndex.of(FLEET, instances)));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('does not change for those who have it when it is advanced', () => {
    fc.assert(
      fc.property(fc.array(delta, { minLength: 2, maxLength: 4 }), (deltas) => {
        const seen: { readonly index: FleetIndex; readonly content: unknown }[] = [];
        for (const { index } of steps(deltas)) {
          seen.push({ index, content: structuredClone(contentOf(index)) });
        }
        for (const { index, content } of seen) expect(contentOf(index)).toEqual(content);
      }),
      { numRuns: 100 },
    );
  });

  it('counts what can be given away', () => {
    fc.assert(
      fc.property(fc.array(delta, { maxLength: 6 }), (deltas) => {
        for (const { index } of steps(deltas)) {
          const open = index.instances.filter((one) => index.isOpen(one));
          const free = open.reduce((sum, one) => sum + (one.totalBlocks ?? 0) - one.busyBlocks, 0);
          expect(index.counts).toMatchObject({ open: open.length, freeBlocks: free });
        }
      }),
      { numRuns: 100 },
    );
  });
});

const action = fc.record({
  num: fc.nat({ max: NUMBERS - 1 }),
  what: fc.constantFrom('claim', 'claim', 'hold', 'apart'),
});

describe('the instances of a fleet during a pass, whatever the pass gives away', () => {
  it('are each among those that are like it, once, with what is left of it', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(state, { selector: ({ id }) => id }),
        fc.array(action),
        (all, does) => {
          const index = FleetIndex.of(FLEET, all);
          const capacity = new FleetCapacity(index);
          const busy = new Map(all.map((one) => [one.id, one.busyBlocks]));
          const held = new Set<string>();
          for (const { num, what } of does) {
            const one = all.find(({ instanceNum }) => instanceNum === num);
            if (!one) continue;
            if (what === 'claim') {
              capacity.claim(one, 1);
              busy.set(one.id, (busy.get(one.id) ?? 0) + 1);
            } else if (what === 'hold') {
              capacity.hold(one);
              held.add(one.id);
            } else capacity.setApart(new Set([one.id]));
          }
          const isOpen = (one: InstanceRecord) =>
            index.isOpen(one) &&
            !held.has(one.id) &&
            (busy.get(one.id) ?? 0) < (one.totalBlocks ?? 0);
          const seen = [...capacity.alike()].flatMap((alike) =>
            alike.first(alike.size + 1).map((one) => ({ one, alike })),
          );
          expect(seen.map(({ one }) => one.id).sort()).toEqual(all.map(({ id }) => id).sort());
          for (const { one, alike } of seen) {
            expect(alike.busyBlocks).toBe(busy.get(one.id));
            expect(alike.isOpen).toBe(isOpen(one));
            expect(capacity.isHeld(one)).toBe(held.has(one.id));
          }
          const open = all.filter(isOpen);
          expect(capacity.open).toBe(open.length);
          const free = (one: InstanceRecord) => (one.totalBlocks ?? 0) - (busy.get(one.id) ?? 0);
          expect(capacity.freeBlocks).toBe(open.reduce((sum, one) => sum + free(one), 0));
        },
      ),
      { numRuns: 300 },
    );
  });
});

it('placement decides the same with kept indexes as without', () => {
  fc.assert(
    fc.property(worlds, fc.array(fc.nat({ max: 7 })), ({ snapshot }, changed) => {
      const indexes = snapshot.fleets.map((fleet) => {
        const own = snapshot.instances.filter((one) => one.fleetId === fleet.id);
        // These are the instances before some of them changed.
        const before = own.map((one) =>
          changed.includes(one.instanceNum) ? { ...one, busyBlocks: 0, unreachable: true } : one,
        );
        const now = own.filter((one, i) => one !== before[i]);
        return FleetIndex.of(fleet, before).advanced({ changed: now, removed: [] });
      });
      const kept = { ...snapshot, ...capacityOf(indexes) };
      const apart = { ...snapshot, instances: [...kept.instances] };
      expect(place(kept, new Map(), aContext())).toEqual(place(apart, new Map(), aContext()));
    }),
    { numRuns: 200 },
  );
});
