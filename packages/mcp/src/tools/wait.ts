import { isRunFinished, isRunRunning } from '@dstack/contract/status';
import type { Run } from '@dstack/contract/wire';
import * as z from 'zod';
import type { ToolContext } from '../tool.ts';
import { tool } from '../tool.ts';
import { runName } from './inputs.ts';
import { RunSummary, runSummary } from './run-summary.ts';

export const waitTool = tool({
  name: 'wait_run',
  title: 'Wait for a run',
  description:
    'Waits until a run is running or has ended, instead of calling get_run again and again. Returns after timeout_seconds at the latest.',
  kind: 'read',
  input: z.object({
    run: runName,
    until: z.enum(['running', 'done']).default('done').describe('done: the run has ended'),
    timeout_seconds: z.int().min(1).max(600).default(60),
  }),
  output: z.object({ reached: z.boolean(), run: RunSummary, next: z.string() }),
  run: async ({ run: name, until, timeout_seconds }, context) => {
    const before = await context.project.runs.get({ run_name: name });
    const limit = AbortSignal.timeout(timeout_seconds * 1000);
    const isOver = ({ status }: Run) =>
      isRunFinished(status) || (until === 'running' && isRunRunning(status));
    const run = isOver(before) ? before : await lastUntil(before, isOver, context, limit);
    const reached = until === 'done' ? isRunFinished(run.status) : isRunRunning(run.status);
    const next = isRunFinished(run.status)
      ? 'The run has ended: get_run has the exit status, get_logs the output.'
      : reached
        ? 'The run is running: get_logs has its output.'
        : 'The time is over: call again to wait on, or explain.';
    return { data: { reached, run: runSummary(run), next } };
  },
});

/** The run when `isOver` holds, or as it was last when the time is over. */
async function lastUntil(
  before: Run,
  isOver: (run: Run) => boolean,
  { project, signal }: ToolContext,
  limit: AbortSignal,
): Promise<Run> {
  let last = before;
  const name = before.run_spec.run_name ?? '';
  try {
    for await (const run of project.runs.watch(name, AbortSignal.any([signal, limit]))) {
      last = run;
      if (isOver(run)) break;
    }
  } catch (error) {
    if (!limit.aborted) throw error;
  }
  return last;
}
