/** An instance that is up: in reach or not, used or not, wanted or not. */
import { instanceTarget, newEvent } from '../events/events.ts';
import { nodesOf, releaseInstance, settleFree, signalCapacity } from '../instances/index.ts';
import { SECOND } from '../model/records.ts';
import {
  DISCONNECT_GRACE,
  isInstanceActive,
  isInstanceBusy,
  isInstanceIdle,
  isOwnHost,
  isPatientBackend,
  UNREACHABLE_LIMIT,
} from '../status/index.ts';
import type { InstancePass } from './instance-pass.ts';

export function advanceUp(pass: InstancePass): void {
  trackReachability(pass);
  if (isUnreachableTooLong(pass)) {
    pass.end('unreachable', pass.host?.error ?? 'The instance could not be reached for 20 minutes');
    return;
  }
  settleClaims(pass);
  if (pass.hasJobs || !isInstanceIdle(pass.instance.status)) return;
  settleFree(pass.draft, pass.instance);
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
    pass.draft.event(newEvent('Instance became reachable', [instanceTarget(instance)]));
    signalCapacity(pass.draft, instance);
    return;
  }
  if (instance.unreachable) {
    pass.set({ terminationMessage: host?.error ?? null });
    return;
  }
  if (pass.now < since + DISCONNECT_GRACE) {
    pass.draft.dueAt(since + DISCONNECT_GRACE);
    return;
  }
  // Why is the only thing that somebody can act on.
  const terminationMessage = host?.error ?? null;
  pass.set({ unreachable: true, unreachableSince: since, terminationMessage });
  pass.draft.event(newEvent('Instance became unreachable', [instanceTarget(instance)]));
  // What was kept beside it for several nodes may be of no use to them without it.
  signalCapacity(pass.draft, instance);
}

/** Only what is paid for by the hour is ended for it; the rest is flagged and comes back. */
function isUnreachableTooLong(pass: InstancePass): boolean {
  const { unreachableSince, backend } = pass.instance;
  if (unreachableSince === null || isPatientBackend(backend)) return false;
  const until = unreachableSince + UNREACHABLE_LIMIT;
  if (pass.now >= until) return true;
  pass.draft.dueAt(until);
  return false;
}

/** Blocks are exactly what its jobs claim, and without jobs it is not busy, whatever went wrong. */
function settleClaims(pass: InstancePass): void {
  const busyBlocks = pass.snapshot.jobs.reduce((sum, job) => sum + job.claimedBlocks, 0);
  pass.set({ busyBlocks });
  if (!isInstanceBusy(pass.instance.status) || pass.hasJobs) return;
  releaseInstance(pass.draft, pass.instance, 0);
}

/** An instance that nobody uses, beyond those that its fleet keeps. */
function endIfIdle(pass: InstancePass): void {
  const { instance } = pass;
  const { idleSeconds } = instance;
  if (idleSeconds === null || isOwnHost(instance.backend)) return;
  if (!isInstanceActive(instance.status)) return;
  const since = instance.lastJobFinishedAt ?? instance.startedAt ?? instance.createdAt;
  const until = since + idleSeconds * SECOND;
  // An instance made for one job that never came to it has nothing left to wait for.
  const reason = idleSeconds === 0 ? 'job_finished' : 'idle_timeout';
  if (pass.now < until) {
    pass.draft.dueAt(until);
    return;
  }
  // The fleet's pass wakes it when there are others and it need no longer stay.
  const min = nodesOf(pass.snapshot.fleet)?.min ?? 0;
  if (pass.snapshot.activeInFleet <= min) return;
  const idleFor = Math.floor((pass.now - since) / SECOND);
  pass.end(reason, idleSeconds === 0 ? null : `Instance idle for ${idleFor} seconds`);
}
