import type { Change, Decision, Timestamp } from '@dstack/core';
import type { ScheduledKind } from '@dstack/store';
import { descriptorOfKey } from '../effects/intents/index.ts';
import type { WorkEnding } from '../queues/work-queue.ts';
import type { WorkDeps } from './work/descriptor.ts';

type ApplyDeps = Pick<WorkDeps, 'store' | 'arm' | 'observer' | 'log' | 'measureTime'>;

/** Writes the decision of a pass, which it has made by the time `decidedAt`, and arms its alarms. */
export async function applyDecision(
  deps: ApplyDeps,
  subject: Readonly<Record<string, string>>,
  decision: Decision,
  decidedAt: Timestamp,
): Promise<WorkEnding> {
  if (decision.changes.length === 0) {
    if (decision.signals.length > 0) await deps.store.engine.signal(decision.signals);
    return { ending: 'done' };
  }
  checkCancelled(decision.changes);
  const outcome = await deps.store.engine.apply(decision.changes, decision.signals, decidedAt);
  deps.log.debug({ ...subject, ...decision.summary, outcome }, 'decision');
  // This host may have slept without a trace in its own clocks, as a virtual machine that is paused does.
  if (outcome === 'late') await deps.measureTime();
  if (outcome !== 'applied') return { ending: 'conflict' };
  for (const alarm of decision.alarms ?? []) deps.log.error(subject, alarm);
  deps.observer?.applied(decision.changes);
  for (const change of decision.changes) armFor(deps, change);
  return { ending: 'done' };
}

/** Throws for an effect that must be carried out once it is announced: a bug of the engine. */
function checkCancelled(changes: readonly Change[]): void {
  for (const change of changes) {
    if (change.type !== 'intent.cancel' || descriptorOfKey(change.key)?.mayCancel) continue;
    throw new Error(`the intent ${change.key} is of a kind that must not be cancelled`);
  }
}

const ARMED = {
  'run.update': 'run',
  'instance.update': 'instance',
  'fleet.update': 'fleet',
  'volume.update': 'volume',
  'gateway.update': 'gateway',
  'group.update': 'group',
} as const satisfies Partial<Record<Change['type'], ScheduledKind>>;

function armFor(deps: Pick<WorkDeps, 'arm'>, change: Change): void {
  switch (change.type) {
    case 'instance.insert':
      deps.arm('instance', change.instance.id, change.instance.nextPassAt);
      return;
    case 'run.update':
    case 'instance.update':
    case 'fleet.update':
    case 'volume.update':
    case 'gateway.update':
    case 'group.update': {
      const { nextPassAt } = change.set;
      if (nextPassAt !== undefined) deps.arm(ARMED[change.type], change.id, nextPassAt);
      return;
    }
    default:
  }
}
