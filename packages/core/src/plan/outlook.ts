import type { JobSpec, PlanOutlook } from '@dstack/contract/wire';
import { isQueueingOffer } from '../offers/availability.ts';
import type { CapacityLedger } from '../placement/place/capacity-ledger.ts';
import { chooseFleet } from '../placement/place/choose-fleet.ts';
import type { Ask } from '../placement/place/new-capacity.ts';
import { lackOf } from '../placement/quota/refusal.ts';
import type { Batch } from './batches.ts';
import { initialReplicas, type PlanInput } from './input.ts';

/** From the best to the worst: a run is as well off as the worst of its jobs. */
const ORDER: readonly PlanOutlook[] = ['starts', 'queued', 'waits', 'ends'];

/**
 * Whether the run finds places now, and what becomes of it otherwise. Null: nothing is placed when it is
 * submitted, or nothing is submitted at all.
 */
export function planOutlook(
  ledger: CapacityLedger,
  input: PlanInput,
  batches: readonly Batch[],
  ask: Ask,
): PlanOutlook | null {
  const { configuration } = input.spec;
  const isLater = configuration.type === 'task' && (configuration.schedule ?? null) !== null;
  if (input.options?.forOffersOnly || isLater) return null;
  const first = initialReplicas(input.spec);
  const outlooks = batches
    .filter(({ jobSpecs: [spec] }) => spec !== undefined && first[spec.replica_group] !== 0)
    .map((batch) => outlookOf(ledger, batch, ask));
  return ORDER.findLast((outlook) => outlooks.includes(outlook)) ?? null;
}

function outlookOf(ledger: CapacityLedger, { request, jobSpecs }: Batch, ask: Ask): PlanOutlook {
  const option = chooseFleet(ledger, request, ask);
  if (option === null) {
    const mayWait = jobSpecs.every(waits) || lackOf(ledger, request, ask) !== null;
    return mayWait ? 'waits' : 'ends';
  }
  const isQueued = option.slots.some(
    (slot) => slot.kind === 'new' && slot.offers.every(isQueueingOffer),
  );
  return isQueued ? 'queued' : 'starts';
}

const waits = ({ retry }: JobSpec): boolean => retry?.on_events.includes('no-capacity') === true;
