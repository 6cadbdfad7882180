/** The handle of a gateway contains all that is needed to end it without its record. */
import type { InstanceHandle } from '@dstack/core';
import { BackendError } from '../../errors.ts';

/**
 * Where clients reach a replica: at the first public address of its machine, at a private one, or at an `elastic` one,
 * which it keeps (AWS has this word; Google calls such an address static).
 */
export type GatewayAddressKind = 'public' | 'private' | 'elastic';

export type VmGatewayPlace =
  | {
      readonly kind: 'machine';
      readonly region: string;
      /** Id of the installation. */
      readonly server: string;
      readonly gateway: string;
      /** Number of the replica. */
      readonly replica: number;
      readonly address: GatewayAddressKind;
      readonly isBalanced: boolean;
    }
  /** Something of a gateway whose machines have ended. */
  | { readonly kind: 'address' | 'balancer'; readonly region: string };

export type VmPlace = Extract<VmGatewayPlace, { readonly kind: 'machine' }>;

/** Tags of a machine with what its handle contains. */
const TAGS = {
  ...{ gateway: 'dstack-gateway', replica: 'dstack-gateway-replica' },
  ...{ address: 'dstack-gateway-address', balanced: 'dstack-gateway-balanced' },
} as const;

type Tags = Readonly<Record<string, string>>;

export function placeTags({ gateway, replica, address, isBalanced }: VmPlace): Tags {
  return {
    ...{ [TAGS.gateway]: gateway, [TAGS.replica]: String(replica), [TAGS.address]: address },
    [TAGS.balanced]: isBalanced ? 'yes' : 'no',
  };
}

/** Those of the tags of an order that `placeTags` has set. */
export function placeTagsIn(tags: Tags): Tags {
  const names: readonly string[] = Object.values(TAGS);
  return Object.fromEntries(Object.entries(tags).filter(([name]) => names.includes(name)));
}

export function placeOfTags(tags: Tags, of: Pick<VmPlace, 'region' | 'server'>): VmPlace {
  return {
    ...{ kind: 'machine', region: of.region, server: of.server },
    ...{ gateway: tags[TAGS.gateway] ?? '', replica: Number(tags[TAGS.replica] ?? 0) },
    ...{ address: addressKindIn(tags), isBalanced: tags[TAGS.balanced] === 'yes' },
  };
}

export function addressKindIn(tags: Tags): GatewayAddressKind {
  const kind = tags[TAGS.address];
  return kind === 'public' || kind === 'elastic' ? kind : 'private';
}

export const handleOf = (id: string, place: VmGatewayPlace): InstanceHandle => ({
  ...{ id, data: JSON.stringify(place) },
});

export function gatewayPlaceIn({ id, data }: InstanceHandle): VmGatewayPlace {
  try {
    return JSON.parse(data ?? '') as VmGatewayPlace;
  } catch (error) {
    throw new BackendError(`the handle of gateway ${id} has no region`, { cause: error });
  }
}

export function vmPlaceIn(handle: InstanceHandle): VmPlace {
  const place = gatewayPlaceIn(handle);
  if (place.kind === 'machine') return place;
  throw new BackendError(`${handle.id} is no machine of a gateway`);
}
