import type { JobSpec, PlanOutlook } from '@dstack/contract/wire';
import type { ReservedShare } from '../model/index.ts';
import { isQueueingOffer } from '../offers/availability.ts';
import type { CapacityLedger } from '../placement/place/capacity-ledger.ts';
import { chooseFleet } from '../placement/place/choose-fleet.ts';
import type { Ask } from '../placement/place/new-capacity.ts';
import { refusalOf, undecidedUntil } from '../placement/place/refusals.ts';
import { initialReplicas } from '../run-spec/size-of.ts';
import type { Batch } from './batches.ts';
import type { PlanInput } from './input.ts';

/** From the best to the worst: a run is as well off as the worst of its jobs. */
const ORDER: readonly PlanOutlook[] = ['starts', 'queued', 'waits', 'ends'];

/** `outlook` null: nothing is placed when it is submitted, or nothing is submitted at all. */
export interface PlannedOutlook {
  readonly outlook: PlanOutlook | null;
  /** The existing instances that it would get now, and how many would be made. */
  readonly shares: readonly ReservedShare[];
  readonly newInstances: number;
}

const NOTHING: PlannedOutlook = { outlook: null, shares: [], newInstances: 0 };

/** Whether and where the run finds places now, and what becomes of it otherwise. */
export function planOutlook(
  ledger: CapacityLedger,
  input: PlanInput,
  batches: readonly Batch[],
  ask: Ask,
): PlannedOutlook {
  const { configuration } = input.spec;
  const isLater = configuration.type === 'task' && (configuration.schedule ?? null) !== null;
  if (input.options?.forOffersOnly || isLater) return NOTHING;
  const first = initialReplicas(input.spec);
  const found = batches
    .filter(({ jobSpecs: [spec] }) => spec !== undefined && first[spec.replica_group] !== 0)
    .map((batch) => outlookOf(ledger, batch, ask));
  return {
    outlook: ORDER.findLast((outlook) => found.some((one) => one.outlook === outlook)) ?? null,
    shares: found.flatMap(({ shares }) => shares),
    newInstances: found.reduce((sum, one) => sum + one.newInstances, 0),
  };
}

function outlookOf(ledger: CapacityLedger, { request, jobSpecs }: Batch, ask: Ask): PlannedOutlook {
  const option = chooseFleet(ledger, request, ask);
  if (option === null) {
    // As the pass of the run decides it; see `waitLimit`.
    const mayWait =
      jobSpecs.every(waits) || undecidedUntil(refusalOf(ledger, request, ask)) !== null;
    return { ...NOTHING, outlook: mayWait ? 'waits' : 'ends' };
  }
  // The request has the other jobs of the replica too, which are batches of their own.
  const slots = option.slots.slice(0, jobSpecs.length);
  const shares = slots.flatMap((slot) =>
    slot.kind === 'existing' ? [{ instanceId: slot.instance.id, blocks: slot.blocks }] : [],
  );
  const isQueued = option.slots.some(
    (slot) => slot.kind === 'new' && slot.offers.every(isQueueingOffer),
  );
  const outlook = isQueued ? 'queued' : 'starts';
  return { outlook, shares, newInstances: slots.length - shares.length };
}

const waits = ({ retry }: JobSpec): boolean => retry?.on_events.includes('no-capacity') === true;
