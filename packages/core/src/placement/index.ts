export { idleSecondsFor } from './assign.ts';
export { NO_FLEET_PHRASE } from './choose-fleet.ts';
export type { BackendOffers, OffersWanted } from './offers-wanted.ts';
export { place } from './place.ts';
export { wantsBackendOffers } from './wants-offers.ts';
