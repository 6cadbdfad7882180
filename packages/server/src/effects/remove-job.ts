/** Removes an ended job from its host, after its process and its output have ended. */
import { type Id, SECOND, type Timestamp } from '@dstack/core';
import type { Reports } from '@dstack/store';
import { type AgentClient, AgentRefusal } from '../hosts/agent-client.ts';
import { NotNow } from './not-now.ts';

/** A connected host has this long to send the rest of a job's output (µs). */
const OUTPUT_LIMIT = 600 * SECOND;

const KILL = { grace: false, reason: 'terminated_by_server', message: null } as const;

export interface RemoveJobParts {
  readonly agent: Pick<AgentClient, 'deleteJob' | 'stopJob'>;
  readonly reports: Pick<Reports, 'byJobs' | 'logEnds'>;
  readonly jobId: Id;
  /** Since when the removal is ordered and the host connected. */
  readonly since: Timestamp;
  readonly now: Timestamp;
}

/**
 * Removes a job from its host. If the job was ended while the host was unreachable, its process may
 * still run and the end of its output may not be stored yet: throws `NotNow` until both are done.
 */
export async function removeJob(parts: RemoveJobParts): Promise<void> {
  const { agent, jobId, since, now } = parts;
  if (now < since + OUTPUT_LIMIT && (await hasMoreOutput(parts))) {
    throw new NotNow('its output is still being sent');
  }
  try {
    await agent.deleteJob(jobId);
  } catch (error) {
    const code = error instanceof AgentRefusal ? error.code : null;
    // An unknown job has left nothing on the agent.
    if (code === 'unknown_job') return;
    if (code !== 'job_alive') throw error;
    await agent.stopJob(jobId, KILL);
    throw new NotNow('its process is being killed');
  }
}

async function hasMoreOutput({ reports, jobId }: RemoveJobParts): Promise<boolean> {
  const [report] = await reports.byJobs([jobId]);
  if (report?.state.phase !== 'exited') return false;
  const [end] = await reports.logEnds([jobId]);
  return (end?.stored ?? 0) < report.state.log_end;
}
