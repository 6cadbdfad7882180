/** The parts of one region from which gateways are made. */
import type { Offer } from '@dstack/core';
import type { InstancePort } from '../../base/instance-port.ts';
import type { Vm } from '../../base/rest-vm/vm-cloud.ts';
import type { Addresses } from './addresses.ts';
import type { Balancers } from './balancers.ts';

export interface GatewayRegion {
  readonly region: string;
  readonly instances: Pick<InstancePort, 'create' | 'observe' | 'release'>;
  readonly vms: GatewayVms;
  readonly addresses: Addresses;
  readonly balancers: Balancers;
  /** Zones in which the network has a subnet of this kind. */
  readonly zones: (isPublic: boolean) => Promise<readonly string[]>;
  /** Sizes of a type by the catalogue; null = it is not listed. */
  readonly sizes: (type: string) => Offer['instance'] | null;
}

/** The machines of gateways in the account. */
export interface GatewayVms {
  /** A list that may be some seconds old. */
  shared(): Promise<readonly Vm[]>;
  fresh(): Promise<readonly Vm[]>;
  /** The next list is a new one. */
  changed(): void;
}
