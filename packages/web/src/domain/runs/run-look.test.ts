import { RUN_STATUSES, type RunStatus } from '@dstack/contract/status';
import { describe, expect, it } from 'vitest';
import { runLook } from './run-look.ts';

const look = (status: RunStatus, statusMessage: string, more: object = {}) =>
  runLook({
    status,
    jobStatus: null,
    statusMessage,
    terminationReason: null,
    nextStartAt: null,
    ...more,
  });

describe('the look of a run', () => {
  it.each([
    ['done', 'exited (0)', 'done', 'Exited (0)'],
    ['failed', 'exited (3)', 'failed', 'Exited (3)'],
    ['failed', 'no capacity', 'failed', 'No capacity'],
    ['failed', 'no fleets', 'failed', 'No fleets'],
    ['terminated', 'stopped', 'stopped', 'Stopped'],
    ['submitted', 'retrying', 'queued', 'Retrying'],
    ['provisioning', 'pulling', 'starting', 'Pulling'],
    ['running', 'running', 'running', 'Running'],
    ['running', 'running (unreachable)', 'warning', 'Running (unreachable)'],
    ['terminating', 'terminating (SIGTERM)', 'stopped', 'Terminating (SIGTERM)'],
  ] as const)('of %s, "%s" is %s', (status, message, tone, text) => {
    expect(look(status, message)).toMatchObject({ tone, text });
  });

  it('has a word for every status', () => {
    for (const status of RUN_STATUSES) expect(look(status, '').text).not.toBe('');
  });

  it('names an abort, and shows a schedule as one', () => {
    expect(look('terminated', 'stopped', { terminationReason: 'aborted_by_user' }).text).toBe(
      'Aborted',
    );
    const nextStartAt = '2026-11-27T00:00:00Z';
    expect(look('pending', 'pending', { nextStartAt }).icon).toBe('scheduled');
  });
});
