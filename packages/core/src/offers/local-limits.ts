import type { Offer } from '../model/index.ts';

/** Set on an instance of the server's machine whose project may not run jobs there any more. */
export const LOCAL_WITHDRAWN = 'withdrawn';

export function isWithdrawn(offer: Offer): boolean {
  return offer.backend === 'local' && offer.backend_data[LOCAL_WITHDRAWN] === true;
}
