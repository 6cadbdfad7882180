import { randomUUID } from 'node:crypto';
import type { FleetRecord } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { DAY, ENOUGH, insertEnded, NOW } from '../testing/ended-run.ts';
import { fleetRecord, instanceRecord, intentRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';

/** A new fleet is never deleted: the deletion is a change of its own. */
async function insertFleetRow({ store, projectId }: World, fleet: FleetRecord): Promise<void> {
  const { deleted, ...alive } = fleet;
  await store.engine.createFleet({
    ...{ projectId, name: { exact: fleet.name } },
    build: () => ({ fleet: { ...alive, deleted: false }, instances: [] }),
  });
  if (!deleted) return;
  const { id, version } = fleet;
  await store.engine.apply([{ type: 'fleet.update', id, version, set: { deleted: true } }]);
}

forEachStore((tests) => {
  const open = () => openWorld(tests, { now: () => NOW });

  describe('deleted instances and fleets', () => {
    it('go once nothing names them', async () => {
      let now = NOW;
      const world = await openWorld(tests, { now: () => now });
      const { store, projectId } = world;
      const fleet = fleetRecord({ projectId, deleted: true });
      const part = { projectId, fleetId: fleet.id, deleted: true, deletedAt: NOW - 500 * DAY };
      const instance = instanceRecord(part);
      await insertFleetRow(world, fleet);
      await store.engine.apply([{ type: 'instance.insert', instance }]);
      const { run } = await insertEnded(world, 'user', NOW, [{ instanceId: instance.id }]);
      const { retention } = store;
      expect(await retention.deleteEnded('instance', NOW - 365 * DAY, 9)).toBe(0);
      await retention.deleteRuns(await retention.endedRuns(projectId, NOW + 1, ENOUGH), NOW + 1);
      expect(await store.runs.byId(run.id)).toBeNull();
      // The time of its deletion is noted now.
      expect(await retention.deleteEnded('fleet', NOW - 365 * DAY, 9)).toBe(0);
      expect(await retention.deleteEnded('instance', NOW - 365 * DAY, 9)).toBe(1);
      now += 366 * DAY;
      expect(await retention.deleteEnded('fleet', now - 365 * DAY, 9)).toBe(1);
      for (const kind of ['volume', 'gateway', 'group'] as const) {
        expect(await retention.deleteEnded(kind, now, 9)).toBe(0);
      }
    });

    it('that are not deleted stay for ever', async () => {
      const world = await open();
      const { store, projectId } = world;
      const fleet = fleetRecord({ projectId });
      await insertFleetRow(world, fleet);
      expect(await store.retention.deleteEnded('fleet', Number.MAX_SAFE_INTEGER, 9)).toBe(0);
    });
  });

  it('intents whose subject has no row are found, settled ones go', async () => {
    const world = await open();
    const { store } = world;
    const { jobs } = await insertEnded(world, 'known', NOW);
    const settled = { state: 'done', result: { kind: 'ok' } } as const;
    const intents = [
      intentRecord(jobs[0]?.id ?? '', settled),
      intentRecord(randomUUID(), settled),
      intentRecord(randomUUID()),
    ];
    await store.engine.apply(intents.map((intent) => ({ type: 'intent.insert', intent })));
    let after: string | null = '';
    let count = 0;
    while (after !== null) {
      const part: { count: number; next: string | null } = await store.retention.deleteStrayIntents(
        after,
        NOW,
        2,
      );
      count += part.count;
      after = part.next;
    }
    expect(count).toBe(1);
    const left = await Promise.all(intents.map(({ key }) => store.engine.intent(key)));
    expect(left.map((intent) => intent?.key ?? null)).toEqual([
      intents[0]?.key,
      null,
      intents[2]?.key,
    ]);
  });

  it('facts of one kind that are old go, also if there are many, and others stay', async () => {
    const { store } = await open();
    const facts = { 'calls:a': 'old', 'calls:b': 'new', 'calls:c': 'old', 'callsx:d': 'old' };
    for (const [key, value] of Object.entries({ ...facts, calls: 'old' })) {
      await store.meta.set(key, value);
    }
    let after: string | null = '';
    let count = 0;
    while (after !== null) {
      const part: { count: number; next: string | null } = await store.retention.deleteOldFacts(
        ...(['calls', after, (_key: string, value: string) => value === 'old', 2] as const),
      );
      count += part.count;
      after = part.next;
    }
    expect(count).toBe(2);
    const left = await Promise.all(
      [...Object.keys(facts), 'calls'].map((key) => store.meta.get(key)),
    );
    expect(left).toEqual([null, 'new', null, 'old', 'old']);
  });
});
