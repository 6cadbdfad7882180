import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Decision, Gang, Offer } from '../model/index.ts';
import { wantsBackendOffers } from './look-ahead.ts';
import { place } from './pass.ts';
import { aContext, answersOf, changesOf, jobChange, NOW, placed } from './testing.ts';
import { sharedWorlds, type World, worlds } from './testing-worlds.ts';

const decide = ({ snapshot, offers }: World): Decision => placed(snapshot, offers);

const check = (property: (world: World, decision: Decision) => void): void =>
  fc.assert(
    fc.property(worlds, (world) => property(world, decide(world))),
    { numRuns: 300 },
  );

const isPlaced = (decision: Decision, gang: Gang): boolean[] =>
  gang.jobs.map((job) => typeof jobChange(decision, job.id)?.instanceId === 'string');

describe('placement, whatever the fleets, instances and runs', () => {
  it('never assigns more of an instance than it has, nor an instance that is not in service', () => {
    check(({ snapshot }, decision) => {
      for (const { id, set } of changesOf(decision, 'instance.update')) {
        const before = snapshot.instances.find((one) => one.id === id)!;
        expect(set.busyBlocks).toBeGreaterThan(before.busyBlocks);
        expect(set.busyBlocks).toBeLessThanOrEqual(before.totalBlocks!);
        expect(['idle', 'busy']).toContain(before.status);
        expect(before.unreachable).toBe(false);
      }
    });
  });

  it('counts on every instance exactly what its jobs were given', () => {
    check(({ snapshot }, decision) => {
      const claims = new Map<string, number>();
      for (const { set } of changesOf(decision, 'job.update')) {
        if (!set.instanceId) continue;
        claims.set(set.instanceId, (claims.get(set.instanceId) ?? 0) + (set.claimedBlocks ?? 0));
      }
      const existing = changesOf(decision, 'instance.update').map(({ id, set }) => {
        const before = snapshot.instances.find((one) => one.id === id)!;
        return [id, (set.busyBlocks ?? 0) - before.busyBlocks] as const;
      });
      const planned = changesOf(decision, 'instance.insert').map(
        ({ instance }) => [instance.id, instance.busyBlocks] as const,
      );
      expect(claims).toEqual(new Map([...existing, ...planned]));
    });
  });

  it('places all jobs of a gang or none, each on a separate instance', () => {
    check(({ snapshot }, decision) => {
      for (const gang of snapshot.gangs) {
        expect(new Set(isPlaced(decision, gang)).size).toBeLessThanOrEqual(1);
        const machines = gang.jobs
          .map((job) => jobChange(decision, job.id)?.instanceId)
          .filter((id) => id != null);
        expect(new Set(machines).size).toBe(machines.length);
      }
    });
  });

  it('keeps the nodes of a gang in one cluster fleet and region', () => {
    check(({ snapshot }, decision) => {
      const planned = changesOf(decision, 'instance.insert').map(({ instance }) => instance);
      const intents = changesOf(decision, 'intent.insert').map(({ intent }) => intent);
      for (const gang of snapshot.gangs.filter((one) => one.jobs.length > 1)) {
        const ids = gang.jobs.map((job) => jobChange(decision, job.id)?.instanceId);
        const mine = [...snapshot.instances, ...planned].filter((one) => ids.includes(one.id));
        const sites = mine.flatMap((one) => {
          const payload = intents.find((intent) => intent.subjectId === one.id)?.payload;
          if (payload?.kind !== 'instance.create') return [`${one.backend}/${one.region}`];
          return payload.offers.map((offer) => `${offer.backend}/${offer.region}`);
        });
        expect(new Set(sites).size).toBeLessThanOrEqual(1);
        expect(new Set(mine.map((one) => one.fleetId)).size).toBeLessThanOrEqual(1);
        for (const { fleetId } of mine) {
          const fleet = snapshot.fleets.find((one) => one.id === fleetId)!;
          expect(fleet.spec.configuration.placement).toBe('cluster');
        }
      }
    });
  });

  it('grows a cluster without machines for one gang only, and names its master', () => {
    check(({ snapshot }, decision) => {
      const planned = changesOf(decision, 'instance.insert').map(({ instance }) => instance);
      for (const fleet of snapshot.fleets) {
        const own = planned.filter((one) => one.fleetId === fleet.id);
        const there = snapshot.instances.some(
          (one) => one.fleetId === fleet.id && one.status !== 'terminating',
        );
        if (fleet.spec.configuration.placement !== 'cluster' || there || own.length === 0) continue;
        const runs = own.map(({ provisioningJobId }) =>
          snapshot.gangs.findIndex(({ jobs }) => jobs.some(({ id }) => id === provisioningJobId)),
        );
        expect(new Set(runs).size).toBe(1);
        const [update] = changesOf(decision, 'fleet.update').filter(({ id }) => id === fleet.id);
        expect(own.map(({ id }) => id)).toContain(update?.set.masterInstanceId);
      }
    });
  });

  it('never makes more instances than a fleet may have, nor two of one number', () => {
    check(({ snapshot }, decision) => {
      const planned = changesOf(decision, 'instance.insert').map(({ instance }) => instance);
      for (const fleet of snapshot.fleets) {
        const max = fleet.spec.configuration.nodes?.max ?? Infinity;
        const fresh = planned.filter((one) => one.fleetId === fleet.id);
        const there = snapshot.instances.filter((one) => one.fleetId === fleet.id);
        const active = there.filter((one) => one.status !== 'terminating').length;
        if (fresh.length > 0) expect(active + fresh.length).toBeLessThanOrEqual(max);
        const numbers = [...there, ...fresh].map((one) => one.instanceNum);
        expect(new Set(numbers).size).toBe(numbers.length);
      }
    });
  });

  it('decides about a gang as if the gangs after it did not exist', () => {
    check(({ snapshot, offers }, decision) => {
      for (let length = 1; length < snapshot.gangs.length; length++) {
        const gangs = snapshot.gangs.slice(0, length);
        const first = decide({ snapshot: { ...snapshot, gangs }, offers });
        for (const gang of gangs) {
          expect(isPlaced(decision, gang)).toEqual(isPlaced(first, gang));
        }
      }
    });
  });

  it('never touches jobs that are being stopped', () => {
    check(({ snapshot }, decision) => {
      const stopped = snapshot.gangs.filter((gang) => gang.jobs[0]?.stopRequestedAt !== null);
      for (const job of stopped.flatMap((gang) => gang.jobs)) {
        expect(jobChange(decision, job.id)).toBeUndefined();
      }
    });
  });

  it('needs no answer that was not requested before', () => {
    fc.assert(
      fc.property(worlds, ({ snapshot, offers }) => {
        const answers = answersOf(wantsBackendOffers(snapshot, NOW), offers);
        const missing: string[] = [];
        class Recording extends Map<string, readonly Offer[]> {
          override get(key: string) {
            if (!this.has(key)) missing.push(key);
            return super.get(key);
          }
        }
        place(snapshot, new Recording(answers), aContext());
        expect(missing).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('gives a project only what it may use, and lets only the owner of a fleet make it grow', () => {
    fc.assert(
      fc.property(sharedWorlds, (world) => {
        const { snapshot } = world;
        const decision = decide(world);
        const made = changesOf(decision, 'instance.insert').map(({ instance }) => instance);
        for (const { run, jobs } of snapshot.gangs) {
          for (const job of jobs) {
            const id = jobChange(decision, job.id)?.instanceId;
            if (id == null) continue;
            const instance = [...snapshot.instances, ...made].find((one) => one.id === id);
            const fleetId = instance?.fleetId ?? '';
            expect(snapshot.projects.get(run.projectId)?.fleets.has(fleetId)).toBe(true);
            if (made.some((one) => one.id === id)) expect(run.projectId).toBe('project-1');
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('writes each record once, on the version it has read', () => {
    check((_world, decision) => {
      const ids = decision.changes.flatMap((change) => ('id' in change ? [change.id] : []));
      expect(new Set(ids).size).toBe(ids.length);
    });
  });
});
