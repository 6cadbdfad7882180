import { describe, expect, test } from 'vitest';
import { eventMessage } from '../../events/event-message.ts';
import type {
  GroupRecord,
  InstanceRecord,
  IntentRecord,
  IntentResult,
  Signal,
} from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import { groupRecord } from '../../testing/records.ts';
import { aFleet, anInstance, anOffer, SETTINGS, T0 } from '../testing/records.ts';
import { reconcileGroup } from './reconcile-group.ts';

const CREATING = { status: 'creating', handle: null } as const;
const REFUSED = { kind: 'refused', reason: 'backend_missing', message: 'gone' } as const;

function intent(part: Partial<IntentRecord> & Pick<IntentRecord, 'kind'>): IntentRecord {
  const { kind, subjectId = 'group-1', attempt = 0 } = part;
  const payload = kind === 'group.create' ? { offers: [], maxTries: 1, totalOffers: 0 } : {};
  return {
    ...{ key: `${kind}:${subjectId}:${attempt}`, subjectId, attempt, state: 'announced' },
    ...{ payload: { kind, ...payload }, result: null, error: null, createdAt: T0, updatedAt: T0 },
    ...part,
  } as IntentRecord;
}

const created: IntentResult = {
  kind: 'group.created',
  handle: { id: 'pg-7', data: null },
  offer: null,
};

interface World {
  readonly intents?: readonly IntentRecord[];
  readonly instances?: readonly InstanceRecord[];
  readonly at?: number;
}

function pass(group: GroupRecord, { intents = [], instances = [], at = 0 }: World = {}) {
  const fleet = aFleet({ placement: 'cluster' });
  const ctx = { now: T0 + at * SECOND, newId: () => 'new', settings: SETTINGS };
  const decision = reconcileGroup({ group, fleet, instances, intents }, ctx);
  const { changes } = decision;
  const update = changes.find((one) => one.type === 'group.update');
  const after = { ...group, ...update?.set };
  const announced = changes.flatMap((one) => (one.type === 'intent.insert' ? [one.intent] : []));
  const repeated = { group: after, fleet, instances, intents: [...intents, ...announced] };
  expect(reconcileGroup(repeated, ctx).changes).toEqual([]);
  const events = changes.flatMap((one) => (one.type === 'event' ? [eventMessage(one.event)] : []));
  return { after, events, announced, signals: decision.signals, alarms: decision.alarms ?? [] };
}

describe('a group that is created', () => {
  const waiting = intent({ kind: 'instance.create', subjectId: 'inst-1' });
  const wakesIt: Signal = { kind: 'intent', id: waiting.key };

  test('is ready with the answer of its backend, and signals the instances that wait for it', () => {
    const create = intent({ kind: 'group.create', state: 'done', result: created });
    const { after, events, signals } = pass(groupRecord(CREATING), {
      intents: [create, waiting],
      instances: [anInstance({ status: 'pending' })],
    });
    expect(after).toMatchObject({ status: 'ready', handle: { id: 'pg-7' }, region: 'us-east-1' });
    expect(events).toEqual(['Placement group main-cloud-group-1 created in aws/us-east-1']);
    expect(signals).toContainEqual(wakesIt);
  });

  test('for a gang is where the offer that was taken is', () => {
    const offer = { ...anOffer(), backend: 'runpod', region: 'eu-2' } as const;
    const result: IntentResult = { ...created, offer };
    const ofGang = { ...CREATING, kind: 'compute', backend: null, region: '' } as const;
    const { after } = pass(groupRecord({ ...ofGang, memberIds: ['inst-1'] }), {
      intents: [intent({ kind: 'group.create', state: 'done', result })],
      instances: [anInstance({ status: 'pending', groupId: 'group-1' })],
    });
    expect(after).toMatchObject({ status: 'ready', backend: 'runpod', region: 'eu-2', offer });
  });

  test('has failed when it was refused; the instances that wait for it are signalled, too', () => {
    const result: IntentResult = { kind: 'no-capacity', message: 'no room for two' };
    const { after, events, signals } = pass(groupRecord(CREATING), {
      intents: [intent({ kind: 'group.create', state: 'failed', result }), waiting],
      instances: [anInstance({ status: 'pending' })],
    });
    expect(after).toMatchObject({ status: 'failed', statusMessage: 'no room for two' });
    expect(events.join()).toContain('could not be created: no room for two');
    expect(signals).toContainEqual(wakesIt);
  });

  test('is never given up without an answer, because it may still appear', () => {
    const { after, signals } = pass(groupRecord(CREATING), {
      intents: [intent({ kind: 'group.create' })],
      at: 7 * 24 * 3600,
    });
    expect(after.status).toBe('creating');
    expect(after.nextPassAt).toBeGreaterThan(T0 + 7 * 24 * 3600 * SECOND);
    expect(signals).toContainEqual({ kind: 'intent', id: 'group.create:group-1:0' });
  });

  test('that is no longer needed ends as soon as it exists', () => {
    const create = intent({ kind: 'group.create', state: 'done', result: created });
    const { after, announced } = pass(groupRecord(CREATING), { intents: [create] });
    expect(after.status).toBe('deleting');
    expect(announced.map(({ key }) => key)).toEqual(['group.delete:group-1:0']);
  });
});

describe('an existing group', () => {
  test.each([
    ['one of its machines lives', anInstance()],
    ['one is being ended', anInstance({ status: 'terminating' })],
    [
      'one may still be created in it',
      anInstance({ status: 'pending', backend: null, region: '', provisioningData: null }),
    ],
  ])('stays while %s', (_why, instance) => {
    expect(pass(groupRecord(), { instances: [instance] }).after.status).toBe('ready');
  });

  test.each([
    ['there is none', []],
    ['the last has ended', [anInstance({ status: 'terminated' })]],
    ['those left are elsewhere', [anInstance({ region: 'eu-1' })]],
  ])('ends when %s', (_why, instances) => {
    expect(pass(groupRecord(), { instances }).after.status).toBe('deleting');
  });

  test('of a gang ends with its last instance that is not ending', () => {
    const group = groupRecord({ kind: 'compute', memberIds: ['inst-1', 'inst-2'] });
    const member = (id: string, status: InstanceRecord['status']) =>
      anInstance({ id, status, groupId: group.id });
    const one = [member('inst-1', 'terminating'), member('inst-2', 'busy')];
    expect(pass(group, { instances: one }).after.status).toBe('ready');
    const all = [member('inst-1', 'terminating'), member('inst-2', 'terminating')];
    expect(pass(group, { instances: all }).after.status).toBe('deleting');
  });
});

describe('a group that is deleted', () => {
  const deleting = groupRecord({ status: 'deleting', kind: 'compute', memberIds: ['a', 'b'] });
  const order = (part: Partial<IntentRecord> = {}) => intent({ kind: 'group.delete', ...part });

  test('is deleted with the answer, and signals the instances that ended with it', () => {
    const { after, signals, events } = pass(deleting, { intents: [order({ state: 'done' })] });
    expect(after).toMatchObject({ status: 'deleted', deleted: true, nextPassAt: null });
    expect(signals).toEqual(
      expect.arrayContaining([
        { kind: 'instance', id: 'a' },
        { kind: 'instance', id: 'b' },
      ]),
    );
    expect(events).toEqual(['Compute group main-cloud-group-1 deleted']);
  });

  test('is ordered to end again after a failure, with growing delays', () => {
    const failed = order({ state: 'failed', attempt: 3, error: 'not yet' });
    const early = pass(deleting, { intents: [failed], at: 1 });
    expect(early.announced).toEqual([]);
    const due = early.after.nextPassAt ?? 0;
    expect(due).toBeGreaterThan(T0 + 30 * SECOND);
    const late = pass(deleting, { intents: [failed], at: (due - T0) / SECOND });
    expect(late.announced.map(({ key }) => key)).toEqual(['group.delete:group-1:4']);
  });

  test('whose backend was removed is given up after a while, with an alarm', () => {
    const intents = [order({ state: 'failed', result: REFUSED })];
    const before = pass(deleting, { intents, at: 10 });
    expect(before.after.status).toBe('deleting');
    const { after, alarms, events } = pass(deleting, { intents, at: 900 });
    expect(after).toMatchObject({ status: 'deleted', deleted: true });
    expect(alarms.join()).toContain('may still exist in aws/us-east-1 (pg-1)');
    expect(events.join()).toContain('Delete it at the provider');
  });
});

test('a group that failed is remembered while its cluster looks for a place', () => {
  const failed = groupRecord({ status: 'failed', handle: null, statusMessage: 'full' });
  const instances = [anInstance({ status: 'pending' })];
  expect(pass(failed, { instances }).after.deleted).toBe(false);
  expect(pass(failed).after.deleted).toBe(true);
});
