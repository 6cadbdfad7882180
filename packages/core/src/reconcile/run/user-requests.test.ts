import { describe, expect, test } from 'vitest';
import { isRunFinished, RUN_STATUSES } from '../../status/index.ts';
import { aFleet, aRun, T0 } from '../testing/records.ts';
import { stopRun, terminateFleet } from './user-requests.ts';

const NOW = T0 + 5;
const ACTOR = { userId: 'user-1', token: null, address: '192.0.2.1' };
const STOP = { abort: false, actor: ACTOR, now: NOW };
const ABORT = { ...STOP, abort: true };

describe('a stop by a user', () => {
  test('ends a run of any unfinished status at once, with an event that names the user', () => {
    const unfinished = RUN_STATUSES.filter((status) => !isRunFinished(status));
    for (const status of unfinished.filter((one) => one !== 'terminating')) {
      const decision = stopRun(aRun({ status, version: 3 }), STOP);
      expect(decision).toEqual({
        changes: [
          {
            type: 'run.update',
            id: 'run-1',
            version: 3,
            set: { status: 'terminating', terminationReason: 'stopped_by_user', nextPassAt: NOW },
          },
          {
            type: 'event',
            event: {
              action: 'run.status_changed',
              data: { from: status, to: 'terminating', reason: 'stopped_by_user', message: null },
              outcome: 'done',
              actor: ACTOR,
              targets: [
                {
                  type: 'run',
                  id: 'run-1',
                  name: 'train',
                  projectId: 'project-1',
                  parentId: 'run-1',
                },
              ],
            },
          },
        ],
        signals: [{ kind: 'run', id: 'run-1' }],
      });
    }
  });

  test('changes nothing of a finished run', () => {
    for (const status of RUN_STATUSES.filter(isRunFinished)) {
      expect(stopRun(aRun({ status }), STOP)).toBeNull();
      expect(stopRun(aRun({ status }), ABORT)).toBeNull();
    }
  });

  test.each([
    ['job_failed', STOP, 'stopped_by_user'],
    ['stopped_by_user', STOP, null],
    ['stopped_by_user', ABORT, 'aborted_by_user'],
    ['server_error', ABORT, 'aborted_by_user'],
    ['aborted_by_user', STOP, null],
    ['aborted_by_user', ABORT, null],
  ] as const)(
    'of a run that ends by %s replaces the reason only where it is stronger',
    (reason, stop, then) => {
      const decision = stopRun(aRun({ status: 'terminating', terminationReason: reason }), stop);
      if (then === null) expect(decision).toBeNull();
      // No event: the status has not changed.
      else
        expect(decision?.changes).toEqual([
          expect.objectContaining({ set: { terminationReason: then, nextPassAt: NOW } }),
        ]);
    },
  );
});

describe('the deletion of a fleet by a user', () => {
  test('makes it terminating, with an event that names the user', () => {
    expect(terminateFleet(aFleet({}, { version: 2 }), STOP)).toEqual({
      changes: [
        { type: 'fleet.update', id: 'fleet-1', version: 2, set: { status: 'terminating' } },
        {
          type: 'event',
          event: expect.objectContaining({
            action: 'fleet.status_changed',
            data: { from: 'active', to: 'terminating', message: null },
            actor: ACTOR,
          }),
        },
      ],
      signals: [{ kind: 'fleet', id: 'fleet-1' }],
    });
  });

  test('changes nothing of one that is terminating or deleted', () => {
    expect(terminateFleet(aFleet({}, { status: 'terminating' }), STOP)).toBeNull();
    expect(terminateFleet(aFleet({}, { deleted: true }), STOP)).toBeNull();
  });
});
