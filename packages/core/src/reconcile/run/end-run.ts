/** A run in `terminating`: its jobs end, then the run ends. */
import { endOutcome } from '../../placement/eligible/dependencies.ts';
import {
  isAbort,
  isEndedByUser,
  isJobAlive,
  isJobFinished,
  isJobTerminating,
  runEnd,
} from '../../status/index.ts';
import { abortJob, endJob } from '../job/end-job.ts';
import { cronOf } from './pending-run.ts';
import type { RunPass } from './run-pass.ts';

/** Ends every job that is still alive; an abort also ends those that are ending gracefully. */
export function endJobsOfRun(pass: RunPass): void {
  const reason = pass.run.terminationReason ?? 'server_error';
  const { jobReason, graceful } = runEnd(reason);
  for (const job of pass.draft.jobs.all()) {
    if (isJobAlive(job.status)) endJob(pass, job, jobReason, { graceful });
    else if (isAbort(reason) && isJobTerminating(job.status)) abortJob(pass, job);
  }
}

/**
 * Runs in the same pass in which the last job finishes. A schedule continues unless a user ended
 * the run.
 */
export function settleEndedRun(pass: RunPass): void {
  if (!pass.draft.jobs.all().every((job) => isJobFinished(job.status))) return;
  const reason = pass.run.terminationReason ?? 'server_error';
  const cron = cronOf(pass.run);
  if (cron !== null && !isEndedByUser(reason)) {
    const nextTriggeredAt = pass.ctx.nextFire(cron, pass.now);
    if (nextTriggeredAt !== null) {
      const lastOutcome = endOutcome(runEnd(reason).finalStatus);
      pass.draft.outcome(pass.run.id, lastOutcome);
      pass.moveRun('pending', {
        lastOutcome,
        nextTriggeredAt,
        terminationReason: null,
        fleetId: null,
        resubmissionAttempt: 0,
      });
      return;
    }
  }
  const { finalStatus } = runEnd(reason);
  pass.draft.outcome(pass.run.id, endOutcome(finalStatus));
  pass.moveRun(finalStatus, { nextPassAt: null });
}
