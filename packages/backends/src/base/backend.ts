import type { Requirements } from '@dstack/contract/wire';
import type { BackendName, Offer, ProvisioningData } from '@dstack/core';

export interface Backend {
  readonly name: BackendName;
  /**
   * Every offer that satisfies `requirements`, cheapest first. May ask the provider (bounded in
   * time); throws `BackendError` when it does not answer.
   */
  offers(requirements: Requirements): Promise<readonly Offer[]>;
  /**
   * Whether what waits is signalled when this backend has capacity again; if not, it has to be asked
   * from time to time.
   */
  readonly signalsCapacity: boolean;
  /** Null: offers can be shown, machines cannot be had. */
  readonly compute: Compute | null;
}

/**
 * What a machine is made for. `key` names the effect: a backend that finds a machine tagged with it
 * returns that one instead of making a second.
 */
export interface InstanceOrder {
  readonly key: string;
  readonly instanceId: string;
  readonly instanceName: string;
  readonly projectName: string;
  readonly fleetName: string;
  /** Public keys that may log in, one line each. */
  readonly authorizedKeys: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
}

/** `hostId`: which agent will run its jobs. */
export interface CreatedInstance {
  readonly provisioningData: ProvisioningData;
  readonly hostId: string;
}

export interface Compute {
  createInstance(offer: Offer, order: InstanceOrder): Promise<CreatedInstance>;
  /**
   * Idempotent: an unknown machine is a terminated one. `pending` = the provider has accepted but
   * the machine still costs money; ask again.
   */
  terminateInstance(data: ProvisioningData): Promise<'terminated' | 'pending'>;
}
