/** The number of replicas of a service that scales by demand. */
import type { JobRecord, Timestamp } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import { isRunActive, isRunPending } from '../../status/index.ts';
import { cronOf } from '../run/pending-run.ts';
import type { RunPass } from '../run/run-pass.ts';
import { autoscale } from './autoscale.ts';
import { isMeasured } from './measured-window.ts';
import { isReplicaAlive, replicasOf } from './replicas.ts';
import { type ScaledGroup, scaledGroups } from './scaled-groups.ts';
import { trafficShare } from './traffic-share.ts';

/** Seconds over which requests are counted, if `window` is not set. */
const DEFAULT_WINDOW = 60;

/** While there are requests, the demand is examined this many times within a window. */
const LOOKS_PER_WINDOW = 12;

/** Changes the desired number of replicas to what the requests of the last window require. */
export function scaleByDemand(pass: RunPass): void {
  const { requests } = pass.snapshot;
  const groups = scaledGroups(pass.run.spec);
  if (groups.length === 0 || requests === null || !mayScale(pass)) return;
  const desired = { ...pass.run.desiredReplicas };
  for (const group of groups) {
    const current = desired[group.name];
    if (current === undefined) continue;
    const { scaling } = group;
    if (scaling === null) {
      desired[group.name] = autoscale(pass, group, current);
      continue;
    }
    const window = scaling.window ?? DEFAULT_WINDOW;
    const count = requests[window] ?? 0;
    if (count > 0) pass.draft.dueAt(pass.now + (window / LOOKS_PER_WINDOW) * SECOND);
    const rate = (count / window) * trafficShare(pass, group.name);
    desired[group.name] = next(pass, { ...group, scaling }, current, rate);
  }
  pass.setRun({ desiredReplicas: desired });
}

/** Retries and schedules determine the replicas of a run that waits for them. */
function mayScale({ run }: RunPass): boolean {
  if (isRunActive(run.status)) return true;
  return isRunPending(run.status) && run.resubmissionAttempt === 0 && cronOf(run) === null;
}

type ByRequests = ScaledGroup & { readonly scaling: NonNullable<ScaledGroup['scaling']> };

function next(pass: RunPass, group: ByRequests, current: number, rate: number): number {
  const { scaling, min, max } = group;
  const wanted = Math.min(Math.max(Math.ceil(rate / scaling.target), min), max);
  // A request waits for an answer.
  if (wanted === current || current === 0) return wanted;
  const window = scaling.window ?? DEFAULT_WINDOW;
  if (wanted < current && !isMeasured(pass, window + scaling.scale_down_delay)) return current;
  const delay = wanted > current ? scaling.scale_up_delay : scaling.scale_down_delay;
  const last = lastScaledAt(pass, group.name);
  const from = last === null ? pass.now : last + delay * SECOND;
  if (pass.now >= from) return wanted;
  pass.draft.dueAt(from);
  return current;
}

/**
 * When a replica of the group was last added or removed by scaling; null = never. A replica that
 * replaces a failed one does not count, because a crash must not delay scaling.
 */
function lastScaledAt(pass: RunPass, group: string): Timestamp | null {
  const times = replicasOf(pass.latest)
    .filter((replica) => replica.group === group)
    .flatMap((replica) => {
      if (!isReplicaAlive(replica)) return replica.jobs.flatMap(scaledDownAt);
      return replica.jobs.map((job) => cameAt(pass, job));
    });
  return times.length === 0 ? null : Math.max(...times);
}

function scaledDownAt(job: JobRecord): Timestamp[] {
  if (job.terminationReason !== 'scaled_down') return [];
  return [job.stopRequestedAt ?? job.statusChangedAt];
}

/** The first of the submissions that followed each other only because of failures. */
function cameAt(pass: RunPass, job: JobRecord): Timestamp {
  const earlier = pass.draft.jobs
    .all()
    .filter((one) => one.replicaNum === job.replicaNum && one.jobNum === job.jobNum)
    .sort((a, b) => b.submissionNum - a.submissionNum);
  let first = job;
  for (const one of earlier) {
    if (one.submissionNum >= first.submissionNum) continue;
    if (one.terminationReason === 'scaled_down') break;
    first = one;
  }
  return first.submittedAt;
}
