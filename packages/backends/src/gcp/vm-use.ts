/** The machines of a project belong to fleets or to gateways; those of gateways have a label of their own with their keys. */
import { KEY_TAG } from '../base/rest-vm/names.ts';
import type { VmOrder } from '../base/rest-vm/vm-cloud.ts';
import { NETWORK_TAG, type Networks } from './networks.ts';

/** How a machine is reached from outside of its network. */
export interface External {
  /** Whether it is to have a public address. */
  readonly isPublic: boolean;
  /** `any`: one that Google chooses; null = none yet. */
  readonly address: string | 'any' | null;
}

export interface VmUse {
  /** The label with the key of the order. */
  readonly keyLabel: string;
  /** The tag by which a rule of the firewall finds them. */
  readonly networkTag: string;
  /** Lets in those who have to reach them. */
  allow(): Promise<void>;
  external(order: VmOrder): Promise<External>;
  /** More labels, of any texts. */
  labels(order: VmOrder): Readonly<Record<string, string>>;
}

export function useForJobs(networks: Networks, isPublic: boolean): VmUse {
  return {
    ...{ keyLabel: KEY_TAG, networkTag: NETWORK_TAG },
    allow: () => networks.allowSsh(),
    external: async () => ({ isPublic, address: isPublic ? 'any' : null }),
    labels: () => ({}),
  };
}
