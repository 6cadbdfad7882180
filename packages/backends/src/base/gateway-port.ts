/** The part of the capacity port for machines of gateways. */
import type { Duplex } from 'node:stream';
import type { GatewayBackendSettings } from '@dstack/contract';
import type { Id, InstanceHandle } from '@dstack/core';
import type { Observation } from './instance-port.ts';
import type { OwnerTags } from './owner-tags.ts';

/** A machine for one replica of a gateway, with open ports for SSH, HTTP and HTTPS. */
export interface GatewayOrder {
  /** Key of the intent. The same key finds the machine. */
  readonly key: string;
  readonly replicaId: Id;
  /** `instance`: the name of the gateway, with the number of the replica. */
  readonly owner: OwnerTags;
  /** The number of the replica. One that takes its place when it has ended has the same. */
  readonly replicaNum: number;
  /** The gateway of the replica: its other replicas have the same. */
  readonly gateway: { readonly id: Id; readonly name: string };
  /** The load balancer before all replicas, which clients reach instead of them; null = there is none. */
  readonly balancer: { readonly certificateArn: string | null } | null;
  /** Domain of the services, such as `*.apps.test`; null = the gateway has none. */
  readonly domain: string | null;
  /** Settings for the backend from the gateway's configuration; null = it has none. */
  readonly settings: GatewayBackendSettings | null;
  readonly region: string;
  /** Null: the adapter's default type. */
  readonly instanceType: string | null;
  /** Whether clients reach it from anywhere, or only in the private network. */
  readonly isPublic: boolean;
  /** Public keys that may log in, one line each. */
  readonly authorizedKeys: readonly string[];
  /** Tags of the user's configuration. */
  readonly tags: Readonly<Record<string, string>>;
}

export interface HowGatewayReleased {
  /**
   * `machine`: another one takes its place, and its address stays. `replica`: the gateway keeps what its replicas
   * share. `gateway`: nothing stays in the region of the machine, because the gateway ends or has left the region.
   */
  readonly ends: 'machine' | 'replica' | 'gateway';
}

export interface ListedGateway {
  readonly handle: InstanceHandle;
  readonly owner: OwnerTags;
  /** As in the order of the gateway; null = the provider does not know it. */
  readonly region: string | null;
  /** Key of the order, or `placeKey` of what outlives single machines of a replica. */
  readonly key: string | null;
}

/** Key of what a replica of a gateway keeps when its machine is replaced. `number`: of the replica; null = all share it. */
export function placeKey(gatewayId: Id, number: number | null): string {
  return `${PLACE_PREFIX}${gatewayId}${number === null ? '' : `:${number}`}`;
}

/** Null: the key is one of an order. */
export function placeOfKey(
  key: string,
): { readonly gatewayId: Id; readonly number: number | null } | null {
  if (!key.startsWith(PLACE_PREFIX)) return null;
  const [gatewayId = '', number] = key.slice(PLACE_PREFIX.length).split(':');
  return { gatewayId, number: number === undefined ? null : Number(number) };
}

const PLACE_PREFIX = 'gateway:';

/** The same calls as for instances, with the same promises; gateways are never listed as instances. */
export interface GatewayPort {
  /**
   * Opens a link, like that to instances whose access is of the kind `backend`. Omitted: the link supervisor has the
   * access.
   */
  readonly dial?: (handle: InstanceHandle, token: string) => Promise<Duplex>;
  /** Whether it makes load balancers before gateways; omitted = it makes none. */
  readonly hasBalancers?: boolean;
  /** Where nginx listens; omitted = as the server's settings say. */
  readonly ports?: (handle: InstanceHandle) => { readonly http: number; readonly https: number };
  create(order: GatewayOrder): Promise<InstanceHandle>;
  observe(handle: InstanceHandle): Promise<Observation>;
  /**
   * Makes again what the replicas share if a user has deleted it, and reports how the replica stands.
   * `order`: as it would be made now. Omitted: there is nothing to look after.
   */
  readonly maintain?: (
    handle: InstanceHandle,
    order: Omit<GatewayOrder, 'key'>,
  ) => Promise<GatewayCondition>;
  release(handle: InstanceHandle, how: HowGatewayReleased): Promise<'released' | 'releasing'>;
  list(owner: Pick<OwnerTags, 'server'>): Promise<readonly ListedGateway[]>;
}

export interface GatewayCondition {
  /** Why another replica must take its place; null = it stays. For people. */
  readonly outdated: string | null;
  /** Why clients do not reach this replica yet, although it serves requests; null = they do. */
  readonly unreachable: string | null;
}
