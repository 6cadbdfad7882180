import type { JobSpec } from '@dstack/contract/wire';
import type { Id, Offer } from '../model/index.ts';
import { listOffers, type OfferListing } from '../offers/listing.ts';
import type { BackendOffers } from '../placement/backend-answers.ts';
import { chooseFleet } from '../placement/place/choose-fleet.ts';
import type { Ask, OffersWanted } from '../placement/place/new-capacity.ts';
import { refusalOf } from '../placement/place/refusals.ts';
import { batchesOf } from './batches.ts';
import type { PlanInput } from './input.ts';
import { ledgerOf } from './ledger.ts';
import { planNotes } from './notes.ts';
import { findOffers } from './offers.ts';
import { type PlannedOutlook, planOutlook } from './outlook.ts';
import { type PlannedQuota, quotaUse } from './quota-use.ts';

/** The same as the wire's `JobPlan`, except for the names of backends in offers. */
export interface PlannedJob extends OfferListing {
  readonly job_spec: JobSpec;
}

export interface PlannedRun extends PlannedOutlook {
  readonly jobPlans: readonly PlannedJob[];
  readonly notes: readonly string[];
  /** The fleet that the scheduler would choose for the first job; null if none. */
  readonly fleetId: Id | null;
  /** The limits that the first replica would use some of. */
  readonly quota: readonly PlannedQuota[];
}

/** The questions whose answers `planRun` needs. */
export function planWantsOffers(input: PlanInput): readonly OffersWanted[] {
  const wanted = new Map<string, OffersWanted>();
  const ask: Ask = (question) => {
    wanted.set(question.key, question);
    return [];
  };
  const ledger = ledgerOf(input);
  for (const { request } of batchesOf(input)) {
    findOffers(ledger, request, ask, input.options ?? {});
    // Any fleet may turn out to be the cheapest, so all of them are asked about.
    for (const fleet of ledger.fleets) {
      const only = { ...request, run: { ...request.run, fleetId: fleet.id } };
      if (request.run.fleetId === null && !input.options?.forOffersOnly) {
        findOffers(ledger, only, ask, input.options ?? {});
      }
    }
  }
  // Why a full fleet does not grow depends on what its backends have.
  for (const { request } of batchesOf(input)) {
    if (input.options?.forOffersOnly && !request.profile.fleets) continue;
    if (chooseFleet(ledger, request, () => []) === null) refusalOf(ledger, request, ask);
  }
  return [...wanted.values()];
}

/**
 * The plan of a run: offers per job, in the order and numbers of the wire, and notes for the user.
 * It reserves nothing; placement decides anew.
 */
export function planRun(input: PlanInput, answers: BackendOffers): PlannedRun {
  const ask: Ask = (question) => answers.get(question.key) ?? [];
  const ledger = ledgerOf(input);
  const options = input.options ?? {};
  const batches = batchesOf(input).map((batch) => {
    const found = findOffers(ledger, batch.request, ask, options);
    const offers: Offer[] = [...found.pool(), ...found.fresh];
    return { batch, offers, fleetId: found.fleet?.id ?? null };
  });
  const jobPlans = batches.flatMap(({ batch, offers }) => {
    const listing = listOffers(offers, {
      maxOffers: options.maxOffers,
      reverse: options.reverseOffers,
      groupNodes: options.groupNodes,
    });
    return batch.jobSpecs.map((job_spec) => ({ job_spec, ...listing }));
  });
  return {
    jobPlans,
    notes: planNotes(ledger, input, batches, ask),
    ...planOutlook(
      ledger,
      input,
      batches.map(({ batch }) => batch),
      ask,
    ),
    fleetId: batches[0]?.fleetId ?? null,
    quota: batches[0] ? quotaUse(ledger, batches[0].batch.request, ask) : [],
  };
}

/** All offers of the run's first job, uncut: what `gpus/list` groups. */
export function allOffers(input: PlanInput, answers: BackendOffers): readonly Offer[] {
  const ask: Ask = (question) => answers.get(question.key) ?? [];
  const [first] = batchesOf(input);
  if (!first) return [];
  const found = findOffers(ledgerOf(input), first.request, ask, input.options ?? {});
  return [...found.pool(), ...found.fresh];
}
