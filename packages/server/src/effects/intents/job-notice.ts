import type { IntentOf, IntentResult } from '@dstack/core';
import { type AgentClient, AgentRefusal } from '../../hosts/agent-client.ts';
import type { IntentDescriptor } from './descriptor.ts';
import { ON_JOB, withAgent } from './on-job.ts';

/** `reason`s of refusals. */
const UNSUPPORTED = 'unsupported';
const TOO_LATE = 'too_late';

const SECOND = 1_000_000;

/** Agents measure times by their own clock, so they receive how much is left. */
export const jobNotice: IntentDescriptor<'job.notice'> = {
  ...ON_JOB,
  kind: 'job.notice',
  // The agent has it or not; what follows withdraws it either way.
  mayCancel: true,
  handle: withAgent(async ({ effects, agent, view, intent }) => {
    try {
      return await order(agent, view.job.id, intent, effects.now());
    } catch (error) {
      if (!(error instanceof AgentRefusal) || error.status !== 404) throw error;
      if (error.code === 'unknown_job') return { kind: 'ok' };
      const message = 'The agent is of a version that gives no notice to jobs';
      return { kind: 'refused', reason: UNSUPPORTED, message };
    }
  }),
};

async function order(
  agent: AgentClient,
  jobId: string,
  { key, payload }: IntentOf<'job.notice'>,
  now: number,
): Promise<IntentResult> {
  const { notice, reason } = payload;
  if (notice === null) {
    const { stop_stage } = await agent.withdrawNotice(jobId);
    if (stop_stage === null) return { kind: 'ok' };
    return { kind: 'refused', reason: TOO_LATE, message: 'The process was sent Ctrl-C already' };
  }
  const { message, interruptAt, endsAt } = notice;
  const interrupt_in = Math.max(0, (interruptAt - now) / SECOND);
  // An order that is late, or whose clock was set ahead, leaves the job its time after Ctrl-C.
  const times = { interrupt_in, ends_in: interrupt_in + (endsAt - interruptAt) / SECOND };
  await agent.noticeJob(jobId, { id: key, reason, message, ...times });
  return { kind: 'ok' };
}
