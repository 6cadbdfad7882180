import type { JobReport } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { AgentRefusal } from '../hosts/agent-client.ts';
import { NotNow } from './not-now.ts';
import { removeJob } from './remove-job.ts';

/** An agent that has a job, and the server's records of the job's output. */
function scene(job: { alive?: boolean; known?: boolean; printed?: number; stored?: number }) {
  const calls: string[] = [];
  let { alive = false } = job;
  const { known = true, printed = 0 } = job;
  const state = { phase: alive ? 'running' : 'exited', log_end: printed };
  const parts = {
    agent: {
      deleteJob: async () => {
        if (!known) throw new AgentRefusal(404, 'unknown_job', 'no such job');
        if (alive) throw new AgentRefusal(409, 'job_alive', 'it runs');
        calls.push('delete');
      },
      stopJob: async (_id: string, { grace }: { grace: boolean }) => {
        calls.push(grace ? 'stop' : 'kill');
        alive = false;
        return {} as never;
      },
    },
    reports: {
      byJobs: async () => [{ jobId: 'j', state } as unknown as JobReport],
      logEnds: async () => [{ jobId: 'j', stored: job.stored ?? 0 }],
    },
    jobId: 'j',
    since: 0,
  };
  return { calls, remove: (now = 1) => removeJob({ ...parts, now }) };
}

describe('a job that has ended', () => {
  it('is removed from its host', async () => {
    const { calls, remove } = scene({ printed: 5, stored: 5 });
    await remove();
    expect(calls).toEqual(['delete']);
  });

  it('and is unknown to its host counts as removed', async () => {
    await scene({ known: false }).remove();
  });

  it('while its host was unreachable is killed there first', async () => {
    const { calls, remove } = scene({ alive: true });
    await expect(remove()).rejects.toBeInstanceOf(NotNow);
    await remove();
    expect(calls).toEqual(['kill', 'delete']);
  });

  it('stays on its host until all of its output is stored, but not for ever', async () => {
    const { calls, remove } = scene({ printed: 5, stored: 3 });
    await expect(remove()).rejects.toBeInstanceOf(NotNow);
    expect(calls).toEqual([]);
    await remove(600_000_000);
    expect(calls).toEqual(['delete']);
  });
});
