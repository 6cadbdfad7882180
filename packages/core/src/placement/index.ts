export type {
  BackendAbility,
  BackendAnswers,
  BackendNote,
  BackendOffers,
  BackendsState,
} from './backend-answers.ts';
export {
  dependencyState,
  endOutcome,
  isMet,
  isUnmet,
  presentOutcome,
} from './eligible/dependencies.ts';
export { type Forecast, forecastQueue } from './forecast.ts';
export { configuredImage, demandOf, volumeNamesOf } from './gang-request.ts';
export { wantsBackendOffers } from './look-ahead.ts';
export { place } from './pass.ts';
export { FleetIndex } from './place/fleet-index.ts';
export { capacityOf } from './place/kept-capacity.ts';
export { endOf as knownEnd } from './place/known-ends.ts';
export type { OffersWanted } from './place/new-capacity.ts';
export { roomOf } from './place/room.ts';
export { type Pool, poolsOf, type Uses } from './pools/components.ts';
export { withBackends } from './pools/with-backends.ts';
export { type Exceeded, exceededLimit } from './quota/never-fits.ts';
export { type FairRank, inFairOrder } from './rank/fair-order.ts';
export { type Criterion, compareRanks, ORDER, type Rank } from './rank/order.ts';
export { hasPriorityPreemption } from './reclaim/fleet-settings.ts';
