/** An instance in service: reachability, claims and idle timeout. */
import { isServerHost } from '../../capabilities/capabilities.ts';
import { instanceTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import {
  correctReservation,
  nodesOf,
  releaseInstance,
  settleDivision,
  settleFree,
  signalCapacity,
} from '../../instances/index.ts';
import { SECOND } from '../../model/values.ts';
import {
  DISCONNECT_GRACE,
  isInstanceActive,
  isInstanceBusy,
  isInstanceIdle,
  isPatientBackend,
  isSshHost,
  UNREACHABLE_LIMIT,
} from '../../status/index.ts';
import { silenceDeadline } from '../../time/silence.ts';
import { followLoss } from './instance-loss.ts';
import type { InstancePass } from './instance-pass.ts';

export function advanceUp(pass: InstancePass): void {
  if (followLoss(pass)) return;
  trackReachability(pass);
  if (isUnreachableTooLong(pass)) {
    pass.end('unreachable', pass.host?.error ?? 'The instance could not be reached for 20 minutes');
    return;
  }
  settleClaims(pass);
  if (pass.hasJobs || !isInstanceIdle(pass.instance.status)) return;
  settleFree(pass.draft, settleDivision(pass.draft, pass.instance));
  endIfIdle(pass);
}

function trackReachability(pass: InstancePass): void {
  const { instance, host } = pass;
  const since = host === null ? instance.statusChangedAt : host.since;
  if (host?.connected) {
    const facts = host.facts ?? instance.hostFacts;
    pass.set({ unreachable: false, unreachableSince: null, hostFacts: facts });
    if (!instance.unreachable) return;
    pass.set({ terminationMessage: null });
    pass.draft.event(
      recordEvent({ action: 'instance.reachable', targets: [instanceTarget(instance)] }),
    );
    signalCapacity(pass.draft, instance);
    return;
  }
  if (instance.unreachable) {
    const unreachableSince = Math.max(since, instance.unreachableSince ?? 0);
    pass.set({ terminationMessage: host?.error ?? null, unreachableSince });
    return;
  }
  const until = silenceDeadline(pass.ctx, since, DISCONNECT_GRACE);
  if (pass.now < until) {
    pass.draft.dueAt(until);
    return;
  }
  // Users need the cause to repair the host.
  const terminationMessage = host?.error ?? null;
  pass.set({ unreachable: true, unreachableSince: since, terminationMessage });
  pass.draft.event(
    recordEvent({ action: 'instance.unreachable', targets: [instanceTarget(instance)] }),
  );
  // Its machine may have ended, and the next question would be asked minutes later.
  if (!isServerHost(instance.backend)) pass.draft.signal('observation', instance.id);
  // Capacity held for a gang that needed this instance may now be useful for others.
  signalCapacity(pass.draft, instance);
}

/** Cloud machines end, because they cost money; SSH hosts and the server host are only flagged. */
function isUnreachableTooLong(pass: InstancePass): boolean {
  const { unreachableSince, backend } = pass.instance;
  if (unreachableSince === null || isPatientBackend(backend)) return false;
  const until = silenceDeadline(pass.ctx, unreachableSince, UNREACHABLE_LIMIT);
  if (pass.now >= until) return true;
  pass.draft.dueAt(until);
  return false;
}

/** Repairs the busy blocks: they are exactly what unfinished jobs claim. */
function settleClaims(pass: InstancePass): void {
  const claimed = pass.snapshot.jobs.reduce((sum, job) => sum + job.claimedBlocks, 0);
  const { draft, instance } = pass;
  correctReservation(draft, instance, { from: instance.busyBlocks, to: claimed });
  if (!isInstanceBusy(pass.instance.status) || pass.hasJobs) return;
  releaseInstance(pass.draft, pass.instance, 0);
}

/** Ends an idle instance after its timeout, unless `nodes.min` keeps it. */
function endIfIdle(pass: InstancePass): void {
  const { instance } = pass;
  const { idleSeconds } = instance;
  if (idleSeconds === null || isSshHost(instance.backend)) return;
  if (!isInstanceActive(instance.status)) return;
  const since = instance.lastJobFinishedAt ?? instance.startedAt ?? instance.createdAt;
  const until = since + idleSeconds * SECOND;
  // 0: it was created for one job, which never started on it.
  const reason = idleSeconds === 0 ? 'job_finished' : 'idle_timeout';
  if (pass.now < until) {
    pass.draft.dueAt(until);
    return;
  }
  // The fleet's pass signals it when `nodes.min` no longer keeps it.
  const min = nodesOf(pass.snapshot.fleet)?.min ?? 0;
  if (pass.snapshot.activeInFleet <= min) return;
  const idleFor = Math.floor((pass.now - since) / SECOND);
  pass.end(reason, idleSeconds === 0 ? null : `Instance idle for ${idleFor} seconds`);
}
