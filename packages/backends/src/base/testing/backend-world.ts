import type { HostFacts } from '@dstack/contract/agent';
import type { Requirements } from '@dstack/contract/wire';
import type { InstanceHandle } from '@dstack/core';
import type { Backend, InstanceOrder } from '../port.ts';

/** A backend with what its calls reach, for the contract suite. */
export interface BackendWorld {
  readonly backend: Backend;
  /** What at least one of its offers satisfies, and what none does; null = it has no offers of its own. */
  readonly requirements: { readonly met: Requirements; readonly unmet: Requirements } | null;
  /** An order for an instance that does not exist yet; `server` = the owner, this server by default. */
  order(server?: string): Promise<InstanceOrder>;
  /** Facts that the agent of the instance has reported; null where no agent runs. */
  facts(handle: InstanceHandle): Promise<HostFacts | null>;
  /** Returns when everything that was begun at the provider is finished. */
  settle(): Promise<void>;
  /**
   * How many machines exist, whoever ordered them. Null: only the database knows the instances, so
   * that the backend can neither list nor miss one.
   */
  readonly machines: (() => Promise<number>) | null;
  /** Deletes a machine without the adapter, as people do at the provider's console; null = nobody can. */
  readonly vanish: ((handle: InstanceHandle) => Promise<void>) | null;
  /** Control over the calls to the provider's API; null = there is none. */
  readonly calls: ProviderCalls | null;
  /** A volume that the user has made at the provider; null = the backend has no volumes. */
  readonly userVolume: { readonly id: string; readonly region: string } | null;
  close(): Promise<void>;
}

export interface ProviderCalls {
  /**
   * The call after the next `answered` ones fails: the provider refuses it, or carries it out and its
   * answer is lost.
   */
  fail(answered: number, how: 'refused' | 'lost'): void;
  /** All calls are answered again. */
  heal(): void;
}

/** The server that runs the suite. */
export const OUR_SERVER = '0c7ee2c5-5a3c-4d0c-8f04-6f3c61d8d4a1';
export const OTHER_SERVER = '9c1f46f0-2a36-4c2f-9a35-0d1cf2f4a0b2';
