import { describe, expect, test } from 'vitest';
import type { VolumeRecord, VolumeSnapshot } from '../model/index.ts';
import { SECOND } from '../model/records.ts';
import { reconcileVolume } from './reconcile-volume.ts';
import { SETTINGS, T0 } from './testing.ts';

const HOUR = 3600 * SECOND;

function aVolume(patch: Partial<VolumeRecord> = {}, cleanup: number | null = 3600): VolumeRecord {
  return {
    ...{ id: 'volume', projectId: 'project', userId: 'user', name: 'data', backend: 'aws' },
    configuration: { auto_cleanup_duration: cleanup } as VolumeRecord['configuration'],
    ...{ external: false, status: 'active', statusMessage: null, provisioningData: null },
    ...{ createdAt: T0, lastProcessedAt: T0, lastJobProcessedAt: null, toBeDeleted: false },
    ...{ deleted: false, deletedAt: null, nextPassAt: null, version: 3 },
    ...patch,
  };
}

function pass(volume: VolumeRecord, now: number, more: Partial<VolumeSnapshot> = {}) {
  const snapshot = {
    ...{ volume, projectName: 'main', backendConfigured: true, attachments: 0 },
    ...more,
  };
  const context = { now, newId: () => 'new', settings: SETTINGS };
  const { changes } = reconcileVolume(snapshot, context);
  const [update] = changes.flatMap((change) => (change.type === 'volume.update' ? [change] : []));
  const after = { ...volume, ...update?.set };
  const again = reconcileVolume({ ...snapshot, volume: after }, context);
  expect(again.changes).toEqual([]);
  const events = changes.flatMap((one) => (one.type === 'event' ? [one.event.message] : []));
  return { after, update, events };
}

describe('an unused volume', () => {
  test('waits for the end of its time', () => {
    const { after, events } = pass(aVolume(), T0 + 1);
    expect(after).toMatchObject({ nextPassAt: T0 + HOUR, toBeDeleted: false });
    expect(events).toEqual([]);
  });

  test('is deleted at the end of its time', () => {
    const { after, events, update } = pass(aVolume({ nextPassAt: T0 + HOUR }), T0 + HOUR);
    expect(update?.version).toBe(3);
    expect(after).toMatchObject({ toBeDeleted: true, deleted: true, deletedAt: T0 + HOUR });
    expect(after).toMatchObject({ status: 'active', nextPassAt: null });
    expect(events).toEqual(['Volume marked for deletion due to auto-cleanup', 'Volume deleted']);
  });

  test('counts its time from its last job', () => {
    const { after } = pass(aVolume({ lastJobProcessedAt: T0 + HOUR }), T0 + HOUR + 1);
    expect(after.nextPassAt).toBe(T0 + 2 * HOUR);
  });

  test.each([
    ['an instance has it', {}, 1, 3600],
    ['it is external', { external: true }, 0, 3600],
    ['it is never cleaned up', {}, 0, -1],
    ['nobody said when', {}, 0, null],
    ['it has failed', { status: 'failed' }, 0, 3600],
  ] as const)('stays while %s', (_why, patch, attachments, cleanup) => {
    const { update } = pass(aVolume(patch, cleanup), T0 + 9 * HOUR, { attachments });
    expect(update).toBeUndefined();
  });
});

describe('a new volume', () => {
  test('fails for want of somebody who makes it', () => {
    const fresh = aVolume({ status: 'submitted', nextPassAt: T0 });
    expect(pass(fresh, T0).after).toMatchObject({
      ...{ status: 'failed', nextPassAt: null },
      statusMessage: 'This server cannot create volumes in backend aws',
    });
    expect(pass(fresh, T0, { backendConfigured: false }).events).toEqual([
      'Volume status changed SUBMITTED -> FAILED (Backend aws is not configured in project main)',
    ]);
  });

  test('goes without failing first if it is to be deleted', () => {
    const { after, events } = pass(aVolume({ status: 'submitted', toBeDeleted: true }), T0);
    expect(after).toMatchObject({ status: 'submitted', deleted: true });
    expect(events).toEqual(['Volume deleted']);
  });
});
