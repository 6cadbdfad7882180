/**
 * The next step of a run and its jobs: a pure function of the stored records, the reports of agents
 * and the results of announced effects. Rules are applied until none of them changes anything, so
 * that one pass does everything possible (an exit that ends the job, frees its instance and ends
 * the run is one transaction).
 */
import type { Decision, RunSnapshot } from '../../model/index.ts';
import { isRunActive, isRunPending, isRunTerminating } from '../../status/index.ts';
import { advanceJob } from '../job/advance-job.ts';
import { scaleByDemand } from '../service/demand.ts';
import { scaleService } from '../service/services.ts';
import { reconcileArray } from './array.ts';
import { deriveRun } from './derive-run.ts';
import { endJobsOfRun, settleEndedRun } from './end-run.ts';
import { obeyHold } from './hold.ts';
import { obeyArray } from './obey-array.ts';
import { advancePending } from './pending-run.ts';
import { runDecision } from './run-decision.ts';
import { type RunContext, RunPass } from './run-pass.ts';

/**
 * Every round advances a status along its table, which leads back only through a new submission.
 */
const MAX_ROUNDS = 10_000;

export function reconcileRun(snapshot: RunSnapshot, ctx: RunContext): Decision {
  if (snapshot.array !== undefined) return reconcileArray(snapshot, snapshot.array, ctx);
  const pass = new RunPass(snapshot, ctx);
  obeyArray(pass);
  let rounds = 0;
  do {
    if (++rounds > MAX_ROUNDS) throw new Error(`Run ${snapshot.run.id} does not settle`);
    pass.draft.beginRound();
    round(pass);
  } while (pass.draft.touched);
  return runDecision(pass, rounds);
}

function round(pass: RunPass): void {
  if (isRunTerminating(pass.run.status)) endJobsOfRun(pass);
  obeyHold(pass);
  for (const job of pass.draft.jobs.all()) advanceJob(pass, pass.fresh(job));
  scaleByDemand(pass);
  if (isRunActive(pass.run.status)) scaleService(pass);
  if (isRunActive(pass.run.status)) deriveRun(pass);
  else if (isRunPending(pass.run.status)) advancePending(pass);
  else if (isRunTerminating(pass.run.status)) settleEndedRun(pass);
}
