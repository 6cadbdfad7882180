/** Machines of gateways: let clients in, and have the address of their replica. */
import type { GatewayAddresses } from '../../base/rest-vm/gateways/gateway-parts.ts';
import {
  addressKindIn,
  placeOfTags,
  placeTagsIn,
} from '../../base/rest-vm/gateways/gateway-place.ts';
import { GATEWAY_NETWORK_TAG, type Networks } from '../networks.ts';
import type { VmUse } from '../vm-use.ts';

/** The label with the key of the order: lists of instances, also of older servers, contain no machine of a gateway. */
export const GATEWAY_KEY_LABEL = 'dstack-gateway-key';

export function useForGateways(
  region: string,
  networks: Networks,
  addresses: Pick<GatewayAddresses, 'of'>,
): VmUse {
  return {
    ...{ keyLabel: GATEWAY_KEY_LABEL, networkTag: GATEWAY_NETWORK_TAG },
    allow: () => networks.allowClients(),
    external: async ({ tags, owner: { server } }) => {
      const kind = addressKindIn(tags);
      if (kind !== 'elastic') {
        return { isPublic: kind === 'public', address: kind === 'public' ? 'any' : null };
      }
      const [kept] = await addresses.of(placeOfTags(tags, { region, server }));
      // One that the machine before it still has is attached later.
      return { isPublic: true, address: kept && !kept.isUsed ? kept.address : null };
    },
    labels: ({ tags }) => placeTagsIn(tags),
  };
}
