export { demandOf } from './gang-request.ts';
export type { BackendOffers, OffersWanted } from './offers-wanted.ts';
export { place } from './place.ts';
export { byUrgency } from './queue.ts';
export { wantsBackendOffers } from './wants-offers.ts';
