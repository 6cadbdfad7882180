import { describe, expect, test } from 'vitest';
import { eventMessage } from '../../events/event-message.ts';
import type { FleetRecord, GroupRecord, InstanceRecord, IntentRecord } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import { groupRecord } from '../../testing/records.ts';
import { aFleet, anInstance, SETTINGS, T0 } from '../testing/records.ts';
import { reconcileFleet } from './reconcile-fleet.ts';

interface Options {
  readonly at?: number;
  readonly activeRuns?: number;
  readonly projectDeleted?: boolean;
  readonly intents?: readonly IntentRecord[];
  readonly groups?: readonly GroupRecord[];
}

function pass(fleet: FleetRecord, instances: InstanceRecord[], options: Options = {}) {
  let ids = 0;
  const decision = reconcileFleet(
    {
      fleet,
      projectName: 'main',
      projectDeleted: options.projectDeleted ?? false,
      instances,
      intents: options.intents ?? [],
      groups: options.groups ?? [],
      activeRuns: options.activeRuns ?? 0,
      volumes: [],
    },
    {
      now: T0 + (options.at ?? 0) * SECOND,
      newId: () => `new-${++ids}`,
      settings: SETTINGS,
    },
  );
  const inserted = decision.changes.flatMap((c) =>
    c.type === 'instance.insert' ? [c.instance] : [],
  );
  const updated = decision.changes.flatMap((c) => (c.type === 'instance.update' ? [c] : []));
  const fleetSet = decision.changes.flatMap((c) => (c.type === 'fleet.update' ? [c.set] : []))[0];
  const events = decision.changes.flatMap((c) =>
    c.type === 'event' ? [eventMessage(c.event)] : [],
  );
  return { decision, inserted, updated, fleet: { ...fleet, ...fleetSet }, events };
}

const numbered = (num: number, patch: Partial<InstanceRecord> = {}) =>
  anInstance({ id: `inst-${num}`, instanceNum: num, name: `cloud-${num}`, ...patch });

describe('a fleet', () => {
  test('that is new gets its target, and never again for a changed target alone', () => {
    const fleet = aFleet({ nodes: { min: 1, target: 3, max: 4 } }, { lastConsolidatedAt: null });
    const first = pass(fleet, []);
    expect(first.inserted.map((one) => one.name)).toEqual(['cloud-0', 'cloud-1', 'cloud-2']);
    expect(first.inserted[0]).toMatchObject({
      status: 'pending',
      backend: null,
      idleSeconds: 259_200,
    });
    expect(first.events).toEqual(
      Array(3).fill('Instance created on fleet submission. Status: PENDING'),
    );
    expect(first.decision.signals).toContainEqual({ kind: 'instance', id: 'new-1' });
    const more = { ...first.fleet, spec: aFleet({ nodes: { min: 1, target: 4, max: 4 } }).spec };
    expect(pass(more, first.inserted, { at: 3600 }).inserted).toEqual([]);
  });

  test('below its minimum is filled up with the lowest free numbers', () => {
    const fleet = aFleet({ nodes: { min: 3, max: null } });
    const early = pass(fleet, [numbered(1)], { at: 59 });
    expect(early.inserted).toEqual([]);
    expect(early.fleet.nextPassAt).toBe(T0 + 60 * SECOND);
    const due = pass(fleet, [numbered(1)], { at: 60 });
    expect(due.inserted.map((one) => one.name)).toEqual(['cloud-0', 'cloud-2']);
    expect(due.events[0]).toBe('Instance created to meet target fleet node count. Status: PENDING');
    expect(due.fleet).toMatchObject({
      consolidationAttempt: 1,
      lastConsolidatedAt: T0 + 60 * SECOND,
    });
  });

  test('without luck tries ever less often and stops after fifteen attempts', () => {
    let fleet = aFleet({ nodes: { min: 1, max: null } });
    const waits: number[] = [];
    let stopped: string[] = [];
    for (let at = 0; stopped.length === 0; ) {
      const failed = numbered(0, { status: 'terminated', deleted: false });
      fleet = pass(fleet, [failed], { at }).fleet;
      const next = (fleet.nextPassAt ?? 0) - T0;
      waits.push(next / SECOND - at);
      at = next / SECOND;
      const tried = pass(fleet, [failed], { at });
      fleet = tried.fleet;
      stopped = tried.events.filter((text) => text.includes('stopped'));
    }
    expect(waits).toEqual([60, 120, 300, 600, ...Array(11).fill(1800)]);
    expect(stopped).toEqual(['Fleet consolidation stopped after 15 attempts']);
    const later = pass(fleet, [], { at: 1_000_000 });
    expect(later.inserted).toEqual([]);
    const resumed = pass({ ...fleet, consolidationAttempt: 0, lastConsolidatedAt: 0 }, [], {
      at: 1_000_000,
    });
    expect(resumed.inserted).toHaveLength(1);
  });

  test('that has reached its target resets its failed attempts and needs no timer', () => {
    const fleet = aFleet({ nodes: { min: 1, max: 2 } }, { consolidationAttempt: 4 });
    const settled = pass(fleet, [numbered(0)], { at: 10 });
    expect(settled.fleet).toMatchObject({ consolidationAttempt: 0, nextPassAt: null });
    const trying = pass(fleet, [numbered(0, { status: 'pending' })], { at: 10 });
    expect(trying.fleet.consolidationAttempt).toBe(4);
  });

  test('above its maximum ends idle instances, the highest numbers first', () => {
    const fleet = aFleet({ nodes: { min: 0, max: 1 } });
    const busy = numbered(2, { status: 'busy', busyBlocks: 1 });
    const { updated } = pass(fleet, [numbered(0), numbered(1), busy], { at: 60 });
    expect(updated.map((c) => [c.id, c.set.terminationReason])).toEqual([
      ['inst-0', 'max_instances_limit'],
      ['inst-1', 'max_instances_limit'],
    ]);
  });

  test('replaces instances that no longer fit its spec', () => {
    const fleet = aFleet({ nodes: { min: 1, max: 1 }, regions: ['eu-west-1'] });
    const { updated, inserted } = pass(fleet, [numbered(0)], { at: 60 });
    expect(updated[0]?.set).toMatchObject({ terminationReason: 'fleet_spec_mismatch' });
    expect(inserted.map((one) => one.name)).toEqual(['cloud-1']);
  });

  test('wakes instances that stayed only because there was no other', () => {
    const fleet = aFleet({ nodes: { min: 1, max: 2 } });
    const { decision } = pass(fleet, [numbered(0, { nextPassAt: null }), numbered(1)], { at: 10 });
    expect(decision.signals).toContainEqual({ kind: 'instance', id: 'inst-0' });
    expect(decision.changes).toEqual([]);
  });

  test('of a cluster keeps its master while it lives, then takes the lowest machine', () => {
    const fleet = aFleet(
      { placement: 'cluster', nodes: { min: 0, max: null } },
      { masterInstanceId: 'inst-2' },
    );
    const three = [numbered(0, { provisioningData: null }), numbered(1), numbered(2)];
    expect(pass(fleet, three).fleet.masterInstanceId).toBe('inst-2');
    const two = [three[0]!, three[1]!, numbered(2, { status: 'terminating' })];
    expect(pass(fleet, two).fleet.masterInstanceId).toBe('inst-1');
  });

  describe('of a cluster', () => {
    const cluster = { placement: 'cluster' as const, nodes: { min: 0, max: null } };
    const planned = (num: number) =>
      numbered(num, { status: 'pending', provisioningData: null, backend: null, offer: null });
    const payload = { kind: 'instance.create', offers: [], maxTries: 1, totalOffers: 0 } as const;
    const order = (num: number, state: IntentRecord['state'] = 'announced'): IntentRecord => ({
      ...{ key: `instance.create:inst-${num}:0`, kind: 'instance.create', payload, state },
      ...{ subjectId: `inst-${num}`, attempt: 0, result: null, error: null },
      ...{ createdAt: T0, updatedAt: T0 },
    });
    const woken = (fleet: FleetRecord, instances: InstanceRecord[], intents: IntentRecord[]) =>
      pass(fleet, instances, { intents })
        .decision.signals.filter(({ kind }) => kind === 'intent')
        .map(({ id }) => id);

    test('has its master created first, and the others once it has a machine', () => {
      const fleet = aFleet(cluster, { masterInstanceId: 'inst-0' });
      const orders = [order(0), order(1), order(2, 'done')];
      const all = [planned(0), planned(1), planned(2)];
      expect(woken(fleet, all, orders)).toEqual(['instance.create:inst-0:0']);
      const made = [numbered(0, { status: 'provisioning' }), planned(1), planned(2)];
      expect(woken(fleet, made, orders)).toEqual(['instance.create:inst-1:0']);
    });

    test('has another one created when its master was not', () => {
      const fleet = aFleet(cluster, { masterInstanceId: 'inst-0' });
      const left = [numbered(0, { status: 'terminated' }), planned(1), planned(2)];
      const { fleet: after } = pass(fleet, left, { intents: [order(1), order(2)] });
      expect(after.masterInstanceId).toBe('inst-1');
      expect(woken(fleet, left, [order(1), order(2)])).toEqual(['instance.create:inst-1:0']);
    });
  });
});

describe('a fleet that is deleted', () => {
  const fleet = aFleet({}, { status: 'terminating' });

  test('ends its instances first and itself when none is left', () => {
    const first = pass(fleet, [numbered(0), numbered(1, { status: 'terminating' })]);
    expect(first.updated.map((c) => c.set.terminationReason)).toEqual(['terminated_by_user']);
    expect(first.fleet.status).toBe('terminating');
    const deletedOne = numbered(0, { status: 'terminated', deleted: true });
    const last = pass(fleet, [deletedOne]);
    expect(last.fleet).toMatchObject({ status: 'terminated', deleted: true });
    expect(last.events).toEqual(['Fleet status changed TERMINATING -> TERMINATED']);
  });

  test('waits for runs that refer to it, unless the whole project was deleted', () => {
    expect(pass(fleet, [], { activeRuns: 1 }).fleet.status).toBe('terminating');
    expect(pass(fleet, [], { activeRuns: 1, projectDeleted: true }).fleet.status).toBe(
      'terminated',
    );
  });
});

test('a fleet wakes the groups that its instances no longer need', () => {
  const fleet = aFleet({ nodes: { min: 0, max: null }, placement: 'cluster' });
  const groups = [groupRecord(), groupRecord({ id: 'elsewhere', region: 'eu-1' })];
  const woken = (instances: InstanceRecord[]) =>
    pass(fleet, instances, { groups }).decision.signals.flatMap(({ kind, id }) =>
      kind === 'group' ? [id] : [],
    );
  expect(woken([numbered(0)])).toEqual(['elsewhere']);
  expect(woken([])).toEqual(['group-1', 'elsewhere']);
});
