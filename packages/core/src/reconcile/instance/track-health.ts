/** The health of an instance, as the agent of its host reports it. */
import type { HostCheck } from '@dstack/contract/agent';
import { capabilitiesOf } from '../../capabilities/capabilities.ts';
import { instanceHealthEvent } from '../../events/events.ts';
import { signalCapacity } from '../../instances/index.ts';
import type { HostRecord, HostTrouble, InstanceRecord } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import {
  byHealth,
  coolDown,
  isFailing,
  isHealthy,
  NO_TROUBLE,
  settledTrouble,
  worstHealth,
} from '../../status/index.ts';
import type { InstancePass } from './instance-pass.ts';

/** Checks named in one text; the rest is counted. */
const NAMED = 3;

/** Records the last report, also while the host is unreachable: no newer one exists. */
export function trackHealth(pass: InstancePass): void {
  const { instance, host } = pass;
  const reported = pass.snapshot.health?.checks;
  const hadTrouble = instance.hostTrouble !== null;
  if (reported === undefined && !hadTrouble) return;
  const hostTrouble = presentTrouble(pass, reported ?? []);
  const checks = [
    ...(reported ?? []),
    ...missingGpus(instance, host, reported ?? []),
    ...troubleChecks(hostTrouble),
  ];
  const health = worstHealth(checks.map((check) => check.status));
  const tracked = pass.set({ health, healthMessage: healthMessage(checks), hostTrouble });
  if (health === instance.health) return;
  pass.draft.event(instanceHealthEvent(instance.health, tracked));
  // Jobs may be placed there again; or capacity held for a gang that needed it becomes free for
  // others.
  if (isFailing(health) !== isFailing(instance.health)) signalCapacity(pass.draft, tracked);
}

/** The end of a cool-down is due; so is its end by an executor that works again. */
function presentTrouble(pass: InstancePass, reported: readonly HostCheck[]): HostTrouble | null {
  const before = pass.instance.hostTrouble ?? NO_TROUBLE;
  const executorFails = reported.some(
    ({ name, status }) => name === EXECUTOR_CHECK && isFailing(status),
  );
  const isRepaired = before.executorFails && !executorFails;
  const { coolsUntil: end } = before;
  // One further ahead than its rule allows was stored by a server whose clock was ahead.
  const isOver =
    end !== null && (pass.now >= end || end > pass.now + coolDown(before.failedStarts));
  const coolsUntil = isRepaired || isOver ? null : before.coolsUntil;
  if (coolsUntil !== null) pass.draft.dueAt(coolsUntil);
  return settledTrouble({ ...before, executorFails, coolsUntil });
}

/** The check of the agent that reports whether its host can start jobs. */
const EXECUTOR_CHECK = 'executor';

function troubleChecks(trouble: HostTrouble | null): HostCheck[] {
  if (trouble === null || trouble.coolsUntil === null) return [];
  return [{ name: 'starts', status: 'failure', message: coolDownText(trouble) }];
}

/** Why a host that cools down gets no jobs. */
export function coolDownText({ failedStarts, cause }: HostTrouble): string {
  const starts =
    failedStarts === 1
      ? 'the last start of a job failed'
      : `the last ${failedStarts} starts of jobs failed`;
  const seconds = coolDown(failedStarts) / SECOND;
  const time = seconds < 60 ? `${seconds} seconds` : `${Math.round(seconds / 60)} minutes`;
  return `${starts} because of the host${cause === null ? '' : ` (${cause})`}; the next job comes after ${time}`;
}

/** `gpu: …; disk: …`, the worst first; null if all is well. */
export function healthMessage(checks: readonly HostCheck[]): string | null {
  const troubled = checks
    .filter((check) => !isHealthy(check.status))
    .sort((a, b) => byHealth(a.status, b.status));
  if (troubled.length === 0) return null;
  const texts = troubled
    .slice(0, NAMED)
    .map(({ name, message }) => (message === null ? name : `${name}: ${message}`));
  const more = troubled.length - texts.length;
  return [...texts, ...(more > 0 ? [`${more} more`] : [])].join('; ');
}

/**
 * GPUs that the instance was offered with and its agent does not list. An agent compares with the
 * GPUs that it found when it started, so it cannot miss those that were lost before. Agents of
 * clouds that list no GPU at all are ignored: not every kind of accelerator can be listed.
 */
function missingGpus(
  { offer, backend }: InstanceRecord,
  host: HostRecord | null,
  reported: readonly HostCheck[],
): HostCheck[] {
  const facts = host?.facts ?? null;
  if (offer === null || facts === null) return [];
  if (reported.some(({ name, status }) => name === 'gpu' && isFailing(status))) return [];
  const offered = offer.instance.resources.gpus.length;
  const listed = facts.gpus.length;
  if (listed >= offered || (listed === 0 && capabilitiesOf(backend).owner === 'provider'))
    return [];
  const message = `the host has ${listed} of the ${offered} GPUs that it had when it was added; repair it, or remove it from the fleet and add it again`;
  return [{ name: 'gpu', status: 'failure', message }];
}
