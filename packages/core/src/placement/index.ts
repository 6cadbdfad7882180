export { demandOf } from './gang-request.ts';
export type {
  BackendAbility,
  BackendAnswers,
  BackendNote,
  BackendOffers,
  BackendsState,
  OffersWanted,
} from './offers-wanted.ts';
export { place } from './place.ts';
export { wantsBackendOffers } from './wants-offers.ts';
