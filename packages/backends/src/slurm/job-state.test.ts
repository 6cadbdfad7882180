import { describe, expect, it } from 'vitest';
import {
  endedObservation,
  holdsNodes,
  parseJobs,
  type SlurmJob,
  waitingText,
} from './job-state.ts';

const job = (part: Partial<SlurmJob>): SlurmJob => ({
  ...{ id: '17', name: 'dstack-main-train-0-0123456789ab', state: 'PENDING', partition: 'gpu' },
  ...{ nodes: '', nodeCount: 1, comment: '', reason: '' },
  ...part,
});

describe('the queue', () => {
  it('is read line by line, whatever the reasons contain', () => {
    const output = [
      'Welcome to the cluster',
      '17|PENDING|gpu,low||1|dstack-a|dstack:e30|ReqNodeNotAvail, UnavailableNodes:gpu-1|x',
      '18|RUNNING|gpu|gpu-[1-2]|2|other|(null)|None',
      '19|RUNNING',
    ].join('\n');
    expect(parseJobs(output)).toEqual([
      job({
        ...{ name: 'dstack-a', partition: 'gpu,low', comment: 'dstack:e30' },
        reason: 'ReqNodeNotAvail, UnavailableNodes:gpu-1|x',
      }),
      job({
        ...{ id: '18', state: 'RUNNING', nodes: 'gpu-[1-2]', nodeCount: 2, name: 'other' },
        comment: '(null)',
      }),
    ]);
  });

  it.each([
    [{}, 'in the queue of partition gpu'],
    [{ reason: 'NewReason' }, 'in the queue of partition gpu: NewReason'],
    [
      { reason: 'Resources' },
      'in the queue of partition gpu: other jobs use what it needs, and it starts when enough of them have ended (Resources)',
    ],
    [
      { reason: 'ReqNodeNotAvail, UnavailableNodes:gpu-1' },
      'in the queue of partition gpu: nodes that it needs are down, drained or reserved (`sinfo -R` shows why) (ReqNodeNotAvail, UnavailableNodes:gpu-1)',
    ],
    [
      { reason: 'QOSMaxJobsPerUserLimit' },
      'in the queue of partition gpu: the jobs of its QOS have reached a limit: it starts when some of them have ended, or set `qos` (QOSMaxJobsPerUserLimit)',
    ],
    [
      { reason: 'QOSMaxWallDurationPerJobLimit' },
      'in the queue of partition gpu: its time limit exceeds that of its QOS or account: set `time_limit`, `qos` or `account` (QOSMaxWallDurationPerJobLimit)',
    ],
    [
      { reason: 'AssocMaxGRESPerJob' },
      'in the queue of partition gpu: it requests more than its QOS or account allows a job: request less, or set `qos` or `account` (AssocMaxGRESPerJob)',
    ],
    [
      { reason: 'AssocGrpCpuLimit' },
      'in the queue of partition gpu: the jobs of its account have reached a limit: it starts when some of them have ended, or set `account` (AssocGrpCpuLimit)',
    ],
    [
      { reason: 'PartitionTimeLimit' },
      'in the queue of partition gpu: its time limit exceeds that of the partition: set `time_limit` (PartitionTimeLimit)',
    ],
  ])('explains why a job waits: %j', (part, text) => {
    expect(waitingText(job(part))).toBe(text);
  });

  it.each([
    ['PENDING', true],
    ['CONFIGURING', true],
    ['RUNNING', true],
    ['COMPLETING', true],
    ['COMPLETED', false],
    ['PREEMPTED', false],
  ])('has jobs in the state %s that have, or will have, nodes: %s', (state, alive) => {
    expect(holdsNodes(job({ state }))).toBe(alive);
  });
});

describe('a job that has ended', () => {
  it.each([
    ['PREEMPTED', 'spot', 'a job of higher priority took its place'],
    ['NODE_FAIL', 'spot', 'its node failed'],
    ['OUT_OF_MEMORY', 'failed', 'it exceeded its memory limit'],
    ['TIMEOUT', 'failed', 'it reached its time limit'],
    ['CANCELLED', 'failed', 'it was cancelled in Slurm'],
  ])('as %s is %s: %s', (state, reason, why) => {
    const ended = endedObservation(job({ state }), '');
    expect(ended).toEqual({
      state: 'interrupted',
      reason,
      text: `Slurm job 17 ended: ${why}`,
    });
  });

  it('shows what its programs printed last', () => {
    const ended = endedObservation(
      job({ state: 'FAILED', reason: 'NonZeroExitCode' }),
      'pyxis: failed to import docker image\n',
    );
    expect(ended.text).toBe(
      'Slurm job 17 ended as FAILED (NonZeroExitCode; pyxis: failed to import docker image)',
    );
  });
});
