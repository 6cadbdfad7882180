import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sameJson } from '../compare/same.ts';
import type { PlacementSnapshot } from '../model/index.ts';
import { CapacityLedger } from './place/capacity-ledger.ts';
import { candidateFleets } from './place/choose-fleet.ts';
import { poolSlots } from './place/existing-instances.ts';
import { lookAt, looksAt } from './place/refusals.ts';
import { roomOf } from './place/room.ts';
import { queueOf } from './rank/queue.ts';
import { aContext, jobChange, placed } from './testing.ts';
import { worlds } from './testing-worlds.ts';

/** Each node of each gang in each fleet that it may use. */
function* questions(snapshot: PlacementSnapshot) {
  const { settings, now } = aContext();
  const ledger = new CapacityLedger(snapshot, settings, { now });
  for (const { request } of queueOf(snapshot, (one) => candidateFleets(ledger, one))) {
    for (const fleet of candidateFleets(ledger, request)) {
      for (const node of request.nodes) yield { ledger, fleet, node, request };
    }
  }
}

describe('instances that are alike, whatever they are', () => {
  it('are looked at together with the result of a look at each', () => {
    fc.assert(
      fc.property(worlds, ({ snapshot }) => {
        for (const { ledger, fleet, node, request } of questions(snapshot)) {
          const looks = looksAt(ledger, fleet, node, request);
          const all = looks.flatMap(({ first, size, look }) =>
            first(size).map((instance) => ({ instance, look })),
          );
          expect(all.length).toBe(ledger.instancesOf(fleet.id).length);
          for (const { instance, look } of all) {
            expect(look).toEqual(lookAt(ledger, fleet, instance, node, request));
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it('are in the same order if only the first are wanted', () => {
    fc.assert(
      fc.property(worlds, fc.integer({ min: 1, max: 3 }), ({ snapshot }, most) => {
        for (const { ledger, fleet, node, request } of questions(snapshot)) {
          const all = poolSlots(ledger, fleet, node, request);
          const counts = new Map<string, number>();
          const first = all.filter(({ offer, instance }) => {
            const site = `${offer.backend}/${instance.region}`;
            counts.set(site, (counts.get(site) ?? 0) + 1);
            return (counts.get(site) ?? 0) <= most;
          });
          const found = poolSlots(ledger, fleet, node, request, most);
          expect(sameJson(found, first)).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  });
});

it('where there is no room nothing is placed', () => {
  fc.assert(
    fc.property(worlds, ({ snapshot, offers }) => {
      const decision = placed(snapshot, offers);
      const jobs = snapshot.gangs.flatMap((gang) => gang.jobs);
      const gotOne = jobs.filter(
        (job) => typeof jobChange(decision, job.id)?.instanceId === 'string',
      );
      expect(gotOne.length).toBeLessThanOrEqual(roomOf(snapshot));
    }),
    { numRuns: 300 },
  );
});
