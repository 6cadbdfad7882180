import type { JobPhase } from '@dstack/contract/agent';
import { expect, test } from 'vitest';
import { type AgentJobRecord, executorOfLiveJobs } from './job-record.ts';

const record = (phase: JobPhase, fields: Partial<AgentJobRecord> = {}): AgentJobRecord =>
  ({ executor: 'process', state: { phase }, deletedAt: null, ...fields }) as AgentJobRecord;

test.each([
  ['a running job', [record('running')], 'process'],
  ['a job of this boot', [record('running', { bootId: 'this' })], 'process'],
  [
    'a job that has ended before',
    [record('exited'), record('pulling', { executor: 'docker' })],
    'docker',
  ],
  ['no job', [], null],
  ['a job that has ended', [record('exited')], null],
  ['a deleted job', [record('running', { deletedAt: 1 })], null],
  ['a job that a restart of the host has ended', [record('running', { bootId: 'last' })], null],
] as const)('%s requires the executor %j', (_, records, executor) => {
  expect(executorOfLiveJobs(records, 'this')).toBe(executor);
});

test('a job of an agent that did not record its executor requires none', () => {
  const { executor: _, ...older } = record('running');
  expect(executorOfLiveJobs([older], 'this')).toBeNull();
});
