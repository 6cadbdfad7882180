export type {
  BackendAbility,
  BackendAnswers,
  BackendNote,
  BackendOffers,
  BackendsState,
} from './backend-answers.ts';
export { configuredImage, demandOf, volumeNamesOf } from './gang-request.ts';
export { wantsBackendOffers } from './look-ahead.ts';
export type { OffersWanted } from './new-capacity.ts';
export { place } from './place.ts';
