/** States of Slurm jobs, and what they mean for an instance. */
import type { InstanceObservation } from '@dstack/core';
import { plainReason } from './queue-reasons.ts';

export interface SlurmJob {
  readonly id: string;
  readonly name: string;
  /** `PENDING`, `RUNNING`, `NODE_FAIL`, … */
  readonly state: string;
  readonly partition: string;
  /** Empty until it runs; several are abbreviated, as in `gpu-[1-2]`. */
  readonly nodes: string;
  /** How many it has or wants. */
  readonly nodeCount: number;
  /** The text that it was submitted with. */
  readonly comment: string;
  /** Why it waits or has ended, in Slurm's words; empty = none. */
  readonly reason: string;
}

/** The reason is last: only its text may contain the separator. */
export const SQUEUE_FORMAT = '%i|%T|%P|%N|%D|%j|%k|%r';

/** Lines of `squeue`; those of another form are left out. */
export function parseJobs(output: string): readonly SlurmJob[] {
  return output.split('\n').flatMap((line) => {
    const [id = '', state = '', partition = '', nodes = '', count = '', ...texts] = line.split('|');
    const [name = '', comment = '', ...rest] = texts;
    if (!/^\d+$/.test(id) || rest.length === 0) return [];
    const reason = rest.join('|').trim();
    const nodeCount = Math.max(1, Number(count) || 1);
    const job = { id, state, partition, nodes, nodeCount, name, comment };
    return [{ ...job, reason: reason === 'None' ? '' : reason }];
  });
}

/** States in which a job has not started, or is started again. */
const WAITING = new Set(['PENDING', 'REQUEUED', 'REQUEUE_HOLD', 'REQUEUE_FED', 'RESV_DEL_HOLD']);
/** It has its nodes. */
const STARTED = new Set(['RUNNING', 'SUSPENDED', 'STOPPED', 'SIGNALING', 'STAGE_OUT']);

/** Its processes are ending, and Slurm does not yet report how. */
export const isCompleting = ({ state }: SlurmJob): boolean => state === 'COMPLETING';
export const isWaiting = ({ state }: SlurmJob): boolean => WAITING.has(state);
export const isStarted = ({ state }: SlurmJob): boolean => STARTED.has(state);
/** Its nodes are being prepared or booted. */
export const isConfiguring = ({ state }: SlurmJob): boolean =>
  state === 'CONFIGURING' || state === 'POWER_UP_NODE' || state === 'RESIZING';

/** Whether it still has, or will have, nodes; a job keeps them while it completes. */
export const holdsNodes = (job: SlurmJob): boolean =>
  isWaiting(job) || isConfiguring(job) || isStarted(job) || isCompleting(job);

export function waitingText({ partition, reason }: SlurmJob): string {
  const queue = `in the queue of partition ${partition}`;
  if (reason === '') return queue;
  const plain = plainReason(reason);
  return plain === null ? `${queue}: ${reason}` : `${queue}: ${plain} (${reason})`;
}

type Ended = Extract<InstanceObservation, { readonly state: 'interrupted' }>;

/** Interruptions: a run that may retry starts again. */
const TAKEN: Readonly<Record<string, string>> = {
  PREEMPTED: 'a job of higher priority took its place',
  NODE_FAIL: 'its node failed',
  BOOT_FAIL: 'its node did not boot',
  REVOKED: 'a sibling cluster took it over',
};
const FAILED: Readonly<Record<string, string>> = {
  OUT_OF_MEMORY: 'it exceeded its memory limit',
  TIMEOUT: 'it reached its time limit',
  DEADLINE: 'it reached its deadline',
  CANCELLED: 'it was cancelled in Slurm',
};

/** `output`: the end of what the batch script printed, which contains errors of its programs. */
export function endedObservation(job: SlurmJob, output: string): Ended {
  const taken = TAKEN[job.state];
  if (taken) {
    return { state: 'interrupted', reason: 'spot', text: `Slurm job ${job.id} ended: ${taken}` };
  }
  const known = FAILED[job.state];
  // Otherwise the output only repeats the state.
  const isTold = known !== undefined;
  const details = [job.reason, isTold ? '' : output.trim()].filter(Boolean).join('; ');
  const how = known === undefined ? ` as ${job.state}` : `: ${known}`;
  const text = `Slurm job ${job.id} ended${how}${details ? ` (${details})` : ''}`;
  return { state: 'interrupted', reason: 'failed', text };
}
