import { describe, expect, test } from 'vitest';
import {
  ACTIVE_RUN_STATUSES,
  ALIVE_RUN_STATUSES,
  AVAILABLE_INSTANCE_STATUSES,
  asJobReason,
  assertTransition,
  ENDING_INSTANCE_STATUSES,
  FLEET_TRANSITIONS,
  GATEWAY_REPLICA_TRANSITIONS,
  GATEWAY_TRANSITIONS,
  IllegalTransition,
  INSTANCE_TRANSITIONS,
  isFleetFinished,
  isJobFinished,
  isRunFinished,
  isSshHost,
  JOB_STATUSES,
  JOB_TRANSITIONS,
  RUN_STATUSES,
  RUN_TRANSITIONS,
  UNFINISHED_JOB_STATUSES,
  UNFINISHED_RUN_STATUSES,
  VOLUME_TRANSITIONS,
  WAITING_RUN_STATUSES,
} from './index.ts';

describe('transition tables', () => {
  const TABLES: readonly [string, Record<string, readonly string[]>, readonly string[]][] = [
    ['run', RUN_TRANSITIONS, ['terminated', 'failed', 'done']],
    ['job', JOB_TRANSITIONS, ['terminated', 'aborted', 'failed', 'done']],
    ['instance', INSTANCE_TRANSITIONS, ['terminated']],
    ['fleet', FLEET_TRANSITIONS, ['terminated']],
    ['volume', VOLUME_TRANSITIONS, ['active', 'failed']],
    ['gateway', GATEWAY_TRANSITIONS, ['running', 'failed']],
    ['gateway replica', GATEWAY_REPLICA_TRANSITIONS, ['terminated']],
  ];

  test.each(TABLES)(
    'of a %s lead from everywhere to an end and nowhere from there',
    (_, table, ends) => {
      const final = Object.keys(table).filter((status) => table[status]!.length === 0);
      expect(final.sort()).toEqual([...ends].sort());
      for (const start of Object.keys(table)) {
        const reached = new Set([start]);
        for (const status of reached) for (const next of table[status]!) reached.add(next);
        expect(final.some((status) => reached.has(status))).toBe(true);
      }
    },
  );

  test('a change that is not in the table is refused by name', () => {
    expect(() => assertTransition('job', JOB_TRANSITIONS, 'done', 'running')).toThrow(
      new IllegalTransition('job', 'done', 'running'),
    );
  });
});

test('a run or a job is finished where its table ends', () => {
  const ends = (table: Record<string, readonly string[]>) =>
    Object.keys(table).filter((status) => table[status]!.length === 0);
  expect(RUN_STATUSES.filter(isRunFinished)).toEqual(ends(RUN_TRANSITIONS));
  expect(JOB_STATUSES.filter(isJobFinished)).toEqual(ends(JOB_TRANSITIONS));
  expect(isFleetFinished('terminated')).toBe(true);
});

test('the sets for queries are what the predicates say', () => {
  expect(UNFINISHED_RUN_STATUSES).toEqual([
    'pending',
    'submitted',
    'provisioning',
    'running',
    'terminating',
  ]);
  expect(WAITING_RUN_STATUSES).toEqual(['pending', 'submitted', 'provisioning']);
  expect(ALIVE_RUN_STATUSES).toEqual(['pending', 'submitted', 'provisioning', 'running']);
  expect(ACTIVE_RUN_STATUSES).toEqual(['submitted', 'provisioning', 'running']);
  expect(UNFINISHED_JOB_STATUSES).toEqual([
    'submitted',
    'provisioning',
    'pulling',
    'running',
    'terminating',
  ]);
  expect(AVAILABLE_INSTANCE_STATUSES).toEqual(['idle', 'busy']);
  expect(ENDING_INSTANCE_STATUSES).toEqual(['terminating', 'terminated']);
});

test('a reason of an agent that is none of ours is not taken over', () => {
  expect(asJobReason('executor_error')).toBe('executor_error');
  expect(asJobReason('toString')).toBeNull();
  expect(asJobReason(null)).toBeNull();
});

test('only servers of SSH fleets are SSH hosts', () => {
  expect(isSshHost('remote')).toBe(true);
  expect(isSshHost('local')).toBe(false);
  expect(isSshHost(null)).toBe(false);
});
