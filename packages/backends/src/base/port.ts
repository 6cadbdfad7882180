/**
 * The capacity port: what the server needs from every source of machines. One adapter folder per
 * kind of backend implements it; the server and `core` never branch on a backend's name.
 *
 * Every call returns quickly: work that takes minutes at a provider is begun by one call and
 * followed by `observe`. Every call may be repeated after a crash: the same key finds what was
 * begun before, and what has ended already is reported as ended.
 */
import type { Requirements } from '@dstack/contract/wire';
import type { BackendName, Capabilities, Claim, Offer } from '@dstack/core';
import type { GatewayPort } from './gateway-port.ts';
import type { GroupPort } from './group-port.ts';
import type { InstancePort } from './instance-port.ts';
import type { OwnerTags } from './owner-tags.ts';
import type { VolumePort } from './volume-port.ts';

export interface Backend {
  readonly name: BackendName;
  readonly capabilities: Capabilities;
  /**
   * Every offer that satisfies `requirements`, cheapest first unless they are ranked. Throws `BackendError` if the
   * backend cannot be asked; a backend that answers only in part reports that in `notes`.
   */
  offers(requirements: Requirements): Promise<OfferAnswer>;
  /**
   * Whether the adapter signals freed capacity; the server polls other backends while runs wait.
   */
  readonly signalsCapacity: boolean;
  /** Null: offers can be shown, instances cannot be created. */
  readonly instances: InstancePort | null;
  /** Null: the backend has no network volumes. */
  readonly volumes: VolumePort | null;
  /** Null: neither placement nor compute groups. */
  readonly groups: GroupPort | null;
  /** Omitted: it makes no machines for gateways. */
  readonly gateways?: GatewayPort;
  /** Omitted: the server reports orphans of this backend, and ends none. */
  readonly claims?: Claims;
  /** Each permission that the adapter needs, checked with the backend's own API. */
  check(): Promise<readonly CheckResult[]>;
}

export interface OfferAnswer {
  readonly offers: readonly Offer[];
  /** For the plan: offers are stale, unverified, or come from some regions only. */
  readonly notes: readonly string[];
  /** Machines that would fit and are kept free of new jobs where they belong, each with why: `n1 (cordoned)`. */
  readonly closed?: readonly string[];
  /** Their order counts more than their prices. Omitted: it does not. */
  readonly isRanked?: boolean;
}

/**
 * Claims on a server's tag, kept in the account that they are about. Installations with copies of
 * one database have the same tag, and only an installation without a rival may end resources
 * without a record.
 */
export interface Claims {
  /** All claims on the owner's server tag, expired ones too. */
  read(owner: Pick<OwnerTags, 'server'>): Promise<readonly Claim[]>;
  /**
   * Writes the claim of `claimant`, replacing its previous one, with the present time of the
   * provider.
   */
  renew(owner: Pick<OwnerTags, 'server'>, claim: Omit<Claim, 'renewedAt'>): Promise<void>;
}

export interface CheckResult {
  /** Permission or precondition, as the provider names it. */
  readonly name: string;
  readonly ok: boolean;
  /**
   * The missing permission or precondition, and how to grant it. When ok: what would be better, and how to
   * get it; null = nothing.
   */
  readonly problem: string | null;
  /** Nothing is known to be missing: the provider did not answer. */
  readonly unanswered?: boolean;
  /** The provider refuses the credentials. */
  readonly refused?: boolean;
}
