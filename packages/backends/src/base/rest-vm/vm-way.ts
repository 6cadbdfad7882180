/** The way from the server into the machines of a provider, and what their orders contain for it. */
import type { InstanceHandle, ProvisioningData } from '@dstack/core';
import type { InstanceAccess, InstanceOrder, InstancePort } from '../instance-port.ts';
import type { Vm, VmOrder } from './vm-cloud.ts';

export interface VmWay {
  /** Why no machine can be reached at all, for plans; null, or omitted: nothing prevents it. */
  readonly problem?: string | null;
  /** Facts about a machine that has just been ordered. */
  readonly known?: Partial<ProvisioningData>;
  /** Throws `SkipOfferError` for orders of machines that could not be reached, or would not run the job. */
  ordered(order: InstanceOrder): Promise<Pick<VmOrder, 'userData' | 'container'>>;
  /** Data that a handle keeps for `dial`, from the key of the order (null = it is not known); omitted: nothing. */
  handleData?(key: string | null): string | null;
  /**
   * For a machine that the provider calls ready; null = it has no address yet. What the machine itself may be able to
   * change at the provider, such as its tags, must not decide which secrets it gets: its handle is ours.
   */
  reached(vm: Vm, handle: InstanceHandle): ReachedVm | null;
  readonly dial?: NonNullable<InstancePort['dial']>;
  /**
   * Calls `onReachable` with the data of the handle of a machine that can be reached from now on. Returns what ends
   * that. Omitted: nothing reports it.
   */
  readonly watch?: (onReachable: (data: string) => void) => () => void;
  /** The machine is being ended. */
  released?(id: InstanceHandle['id']): void;
  /** Ends its connections. */
  close?(): void;
}

export interface ReachedVm {
  readonly data: Partial<ProvisioningData>;
  readonly access: InstanceAccess;
}
