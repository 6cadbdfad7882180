/** The parts of one region from which gateways on machines are made. */
import type { BackendType } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import type { GatewayOrder } from '../../gateway-port.ts';
import type { InstancePort } from '../../instance-port.ts';
import type { Vm } from '../vm-cloud.ts';
import type { VmPlace } from './gateway-place.ts';

export interface GatewayRegion {
  readonly region: string;
  readonly kind: GatewayVmKind;
  readonly instances: Pick<InstancePort, 'create' | 'observe' | 'release'>;
  readonly vms: GatewayVms;
  readonly addresses: GatewayAddresses;
  /** Null: the adapter makes no load balancers. */
  readonly balancers: GatewayBalancers | null;
  /** Zones in which the network has a subnet of this kind. */
  readonly zones: (isPublic: boolean) => Promise<readonly string[]>;
  /** Sizes of a type by the catalogue; null = it is not listed. */
  readonly sizes: (type: string) => Offer['instance'] | null;
}

/** The kind of a provider's machines that gateways run on. */
export interface GatewayVmKind {
  readonly backend: BackendType;
  /** Its name for people. */
  readonly title: string;
  /** That of dstack 0.22.5. */
  readonly defaultType: string;
  /** The status of a machine that runs. */
  readonly running: string;
  /** Whether a type that the catalogue does not list has processors of ARM. */
  readonly isArm: (type: string) => boolean;
  /** Whether the provider has refused a call because the credentials lack a right. */
  readonly isDenied: (error: unknown) => boolean;
}

/** The machines of gateways in the account. */
export interface GatewayVms {
  /** A list that may be some seconds old. */
  shared(): Promise<readonly Vm[]>;
  fresh(): Promise<readonly Vm[]>;
  /** The next list is a new one. */
  changed(): void;
}

/** A public address that is in the account whether a machine has it or not. */
export interface KeptAddress {
  readonly id: string;
  readonly address: string;
  /** Id of the machine that has it now; null = none. */
  readonly instance: string | null;
  /** Whether a machine, or something else in the network, has it. */
  readonly isUsed: boolean;
  readonly tags: Readonly<Record<string, string>>;
}

export type AddressPlace = Pick<VmPlace, 'gateway' | 'replica' | 'server'>;
export type AddressOrder = Pick<GatewayOrder, 'owner' | 'tags'>;

export interface GatewayAddresses {
  /** Allocated, or found. `isNew`: this call has allocated it. Throws `QuotaError`. */
  ensure(
    place: AddressPlace,
    order: AddressOrder,
  ): Promise<KeptAddress & { readonly isNew: boolean }>;
  /** Those of a replica: several if an answer was lost. The one that a machine has comes first. */
  of(place: AddressPlace): Promise<readonly KeptAddress[]>;
  /** All that a server has allocated for gateways. */
  list(server: string): Promise<readonly KeptAddress[]>;
  /** Gives it to a machine, which may not run yet: then the next call does. */
  attach(address: KeptAddress, machine: string): Promise<void>;
  /** `releasing`: a machine has it still. */
  release(id: string): Promise<'released' | 'releasing'>;
}

export interface GatewayBalancer {
  readonly hostname: string;
  /** Whether it takes requests. */
  readonly isActive: boolean;
  readonly targetGroup: string;
}

/** Something of a balancer that the server has made. */
export interface ListedBalancer {
  readonly id: string;
  readonly tags: Readonly<Record<string, string>>;
}

type Target = Pick<GatewayBalancer, 'targetGroup'>;

/** Load balancers before all replicas of a gateway, found by the server and the gateway. */
export interface GatewayBalancers {
  /** Makes what is missing. */
  ensure(order: Omit<GatewayOrder, 'key'>): Promise<GatewayBalancer>;
  /** Null: there is none. */
  find(server: string, gatewayId: string): Promise<{ readonly hostname: string } | null>;
  /** Repeatable. A machine that is new may be refused until it runs. */
  register(balancer: Target, machine: string): Promise<void>;
  /** The health of a machine in the words of the provider; null = it is not registered. */
  health(balancer: Target, machine: string): Promise<string | null>;
  /** A machine that ends gets no new requests. */
  deregister(server: string, gatewayId: string, machine: string): Promise<void>;
  /** `releasing`: call it again. */
  release(server: string, gatewayId: string): Promise<'released' | 'releasing'>;
  /** Ends one of the things that `list` has found. */
  releaseById(id: string): Promise<'released' | 'releasing'>;
  list(server: string): Promise<readonly ListedBalancer[]>;
}
