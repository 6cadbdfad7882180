/**
 * The next step of an instance, from creation to termination. The passes of runs make it busy and
 * release it.
 */

import { matchesFleet } from '../../instances/index.ts';
import type {
  Decision,
  DecisionContext,
  InstanceRecord,
  InstanceSnapshot,
} from '../../model/index.ts';
import {
  isFleetTerminating,
  isInstanceActive,
  isInstanceAvailable,
  isInstancePending,
  isInstanceProvisioning,
  isInstanceTerminated,
  isInstanceTerminating,
} from '../../status/index.ts';
import { advanceTermination } from './instance-end.ts';
import { advanceUp } from './instance-life.ts';
import { InstancePass } from './instance-pass.ts';
import { advancePlanned, advanceProvisioning } from './instance-start.ts';
import { trackCordon } from './track-cordon.ts';
import { trackHealth } from './track-health.ts';

const MAX_ROUNDS = 100;

export function reconcileInstance(snapshot: InstanceSnapshot, ctx: DecisionContext): Decision {
  const pass = new InstancePass(snapshot, ctx);
  let rounds = 0;
  do {
    if (++rounds > MAX_ROUNDS) throw new Error(`Instance ${snapshot.instance.id} does not settle`);
    pass.draft.beginRound();
    round(pass);
  } while (pass.draft.touched && !pass.deleted);
  return decide(pass);
}

function round(pass: InstancePass): void {
  const { status, deleted } = pass.instance;
  if (deleted || isInstanceTerminated(status)) return;
  if (isInstanceTerminating(status)) {
    advanceTermination(pass);
    return;
  }
  if (isFleetTerminating(pass.snapshot.fleet.status) && !pass.hasJobs) {
    pass.end('terminated_by_user');
    return;
  }
  trackCordon(pass);
  if (isOver(pass)) {
    const { by, reason } = pass.instance.scheduling ?? {};
    pass.giveUp('interrupted', `${by} takes the machine back: ${reason}`);
    return;
  }
  if (isInstancePending(status)) advancePlanned(pass);
  else if (isInstanceProvisioning(status)) provision(pass);
  else if (isInstanceAvailable(status)) {
    trackHealth(pass);
    advanceUp(pass);
  }
}

/** Its provider takes it back and it has no jobs: what is left of its time would cost money for nothing. */
function isOver({ instance, hasJobs }: InstancePass): boolean {
  return instance.scheduling?.isTakenBack === true && !hasJobs;
}

/** Ends a machine that its fleet or its job no longer needs, before its agent connects. */
function provision(pass: InstancePass): void {
  if (!pass.hasJobs && !matchesFleet(pass.instance, pass.snapshot.fleet)) {
    pass.end('fleet_spec_mismatch');
  } else if (!pass.hasJobs && isForOneJob(pass.instance)) {
    pass.end('job_finished');
  } else {
    advanceProvisioning(pass);
  }
}

/** Created for one job, and ends with it. */
const isForOneJob = ({ provisioningJobId, idleSeconds }: InstanceRecord): boolean =>
  provisioningJobId !== null && idleSeconds === 0;

function decide(pass: InstancePass): Decision {
  const { draft } = pass;
  if (!pass.deleted) pass.set({ nextPassAt: draft.due });
  const { instance } = pass;
  return {
    changes: draft.changes(),
    signals: draft.signals(),
    alarms: draft.alarms,
    summary: {
      instance: instance.id,
      from: pass.snapshot.instance.status,
      to: pass.deleted ? 'removed' : instance.status,
      active: isInstanceActive(instance.status),
      jobs: pass.snapshot.jobs.length,
      nextPassAt: draft.due,
    },
  };
}
