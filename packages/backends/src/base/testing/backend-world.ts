import type { HostFacts } from '@dstack/contract/agent';
import type { Requirements } from '@dstack/contract/wire';
import type { InstanceHandle } from '@dstack/core';
import type { InstanceOrder } from '../instance-port.ts';
import type { Backend } from '../port.ts';

/** A backend with the parts that its calls use, for the contract suite. */
export interface BackendWorld {
  readonly backend: Backend;
  /**
   * Requirements that at least one of its offers satisfies, and requirements that none does; null =
   * it has no offers of its own.
   */
  readonly requirements: { readonly met: Requirements; readonly unmet: Requirements } | null;
  /** An order for an instance that does not exist yet; `server` = the owner, this server by default. */
  order(server?: string): Promise<InstanceOrder>;
  /** Facts that the agent of the instance has reported; null where no agent runs. */
  facts(handle: InstanceHandle): Promise<HostFacts | null>;
  /** Returns when everything that was begun at the provider has finished. */
  settle(): Promise<void>;
  /**
   * How many machines exist, including those of other owners. Null: only the database has the
   * instances, so the backend can neither list nor miss one.
   */
  readonly machines: (() => Promise<number>) | null;
  /**
   * Deletes a machine without the adapter, like a person at the provider's console; null = not
   * possible.
   */
  readonly vanish: ((handle: InstanceHandle) => Promise<void>) | null;
  /** Control over the calls to the provider's API; null = there is none. */
  readonly calls: ProviderCalls | null;
  /** A volume that the user has created at the provider; null = the backend has no volumes. */
  readonly userVolume: { readonly id: string; readonly region: string } | null;
  close(): Promise<void>;
}

export interface ProviderCalls {
  /**
   * The call after the next `answered` ones fails: the provider refuses it, or carries it out and
   * its answer is lost.
   */
  fail(answered: number, how: 'refused' | 'lost'): void;
  /** All calls are answered again. */
  heal(): void;
}

/** The server that runs the suite. */
export const OUR_SERVER = '0c7ee2c5-5a3c-4d0c-8f04-6f3c61d8d4a1';
export const OTHER_SERVER = '9c1f46f0-2a36-4c2f-9a35-0d1cf2f4a0b2';
