export { fleetNotes, fleetOffers, fleetWantsOffers, planFleet } from './fleet.ts';
export {
  type PlanInput,
  type PlanOptions,
  type PlanSpecsContext,
  planJobSpecs,
} from './input.ts';
export type { PlannedOutlook } from './outlook.ts';
export {
  allOffers,
  type PlannedJob,
  type PlannedRun,
  planRun,
  planWantsOffers,
} from './plan-run.ts';
export { type PlannedPlace, placeInQueue } from './queue-place.ts';
export { borrowing, isAnyGuaranteed, type PlannedQuota } from './quota-use.ts';
