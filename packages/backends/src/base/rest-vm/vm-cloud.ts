/** The interfaces that an adapter of a provider with machines implements. */
import type { RegistryAuth } from '@dstack/contract';
import type { LeaseEnding, NoticeWatch } from '@dstack/contract/agent';
import type { BackendType, Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import type { OwnerTags } from '../owner-tags.ts';
import type { CheckResult, Claims } from '../port.ts';
import type { VolumePort } from '../volume-port.ts';

/** A file that a machine has from its first boot on. */
export interface FirstFile {
  readonly path: string;
  readonly content: string;
}

/** The machines of a provider, or those of one of its regions. */
export interface VmCloud {
  readonly type: BackendType;
  /** Its name for people. */
  readonly title: string;
  /** The user of the images that may log in. */
  readonly loginUser: string;
  /**
   * Whether its machines take user data; omitted: they do. Others let those in whose keys the account has, and the first
   * host key that is seen is theirs.
   */
  readonly takesUserData?: boolean;
  /** Whether user data is a shell script that root runs, instead of a document of cloud-init; omitted: it is not. */
  readonly takesScript?: boolean;
  /** Written into its machines before their services start; omitted: none. */
  readonly firstFiles?: readonly FirstFile[];
  /** Run once at the first boot, in a shell of root, before Docker is looked for; omitted: nothing. */
  readonly firstScript?: string;
  /** Meanings of the statuses that the provider reports. Any other status means: not ready yet. */
  readonly statuses: Readonly<Record<string, VmPhase>>;
  /** Whether its volumes can be attached to machines. By default there are none. */
  readonly hasVolumes?: boolean;
  /** Whether machines of an offer can have volumes; omitted: all can, if there are any. */
  takesVolumes?(offer: Offer): boolean;
  /** Whether an order can name reserved capacity. By default it cannot. */
  readonly hasReservations?: boolean;
  /** How long a new machine may be missing in lists, in milliseconds. */
  readonly lateMs: number;
  /** The machines of the account, of all owners, by one call where the provider allows it. */
  list(): Promise<readonly Vm[]>;
  /** Creates what a machine needs first and what costs nothing, unless it is there. */
  prepare?(order: VmOrder): Promise<void>;
  /** Asks once for a machine, by one call, and returns its id. Throws the errors of the port. */
  create(order: VmOrder): Promise<string>;
  /** Begins to end a machine. Throws `MissingThingError` or `NotNowError`. */
  end(vm: Pick<Vm, 'id' | 'region'>): Promise<void>;
  /** A listed offer in the size of an ordered one; omitted: its price depends on no size. */
  sized?(listed: Offer, ordered: Offer): Offer;
  /** Where its machines find that they are taken back; omitted: it announces nothing there. */
  readonly notices?: NoticeWatch;
  /** How its machines end by themselves, so that they cost nothing more. Omitted: they cannot. */
  readonly leaseEnding?: LeaseEnding;
}

/** All of a provider that is asked at one place, not by regions; `restVm` makes a backend of it. */
export interface WholeCloud extends VmCloud {
  /** Everything that it sells now in the configured regions, available or not. */
  offers(): Promise<readonly Offer[]>;
  /**
   * An offer as it is for these requirements, where it has no fixed size; null = it serves them in none. Omitted: all are
   * as they are.
   */
  shaped?(offer: Offer, requirements: Requirements): Offer | null;
  /** All offers for these requirements, the best first; null, or omitted: the cheapest is the best. */
  ranked?(offers: readonly Offer[], requirements: Requirements): readonly Offer[] | null;
  /** For all plans with its offers. Omitted: there are none. */
  readonly notes?: readonly string[];
  /** Why it cannot serve these requirements at all, for plans; null, or omitted: its offers decide. */
  refusalOf?(requirements: Requirements): string | null;
  /** Without creating anything. */
  check(): Promise<readonly CheckResult[]>;
  /** Omitted: it has no network volumes, or another part makes them. */
  readonly volumes?: VolumePort;
  /** Kept in the account. Omitted: orphans there are reported only. */
  readonly claims?: Claims;
}

/**
 * `reclaimed`: the provider took it back. `broken`: it could not be started. `sold-out`: the provider had accepted
 * its order, and then had none left.
 */
export type VmPhase =
  | 'waiting'
  | 'ready'
  | 'ending'
  | 'ended'
  | 'reclaimed'
  | 'broken'
  | 'sold-out';

export interface Vm {
  readonly id: string;
  readonly name: string;
  readonly region: string;
  readonly instance: Offer['instance'];
  /** Per hour; null = the provider does not say. */
  readonly price: number | null;
  /** The status in the spelling of the provider. */
  readonly status: string;
  /** Where it is reached; null = not known yet. */
  readonly address: string | null;
  readonly privateAddress: string | null;
  /** Where its sshd listens; null or omitted = 22. */
  readonly sshPort?: number | null;
  readonly tags: Readonly<Record<string, string>>;
  /** Why it failed, in the provider's words; null = it does not say. */
  readonly problem: string | null;
  /** It has ended and costs nothing, although lists still have it; omitted = as its status means. */
  readonly isOver?: boolean;
  /** The user who may log in; null or omitted = that of the cloud. */
  readonly loginUser?: string | null;
  /** The zone in its region; null or omitted = not known, or there are none. */
  readonly zone?: string | null;
}

/** The container of a job, as the provider starts it. */
export interface VmContainer {
  readonly image: string;
  /** In clear text; null = the image is public. */
  readonly registryAuth: RegistryAuth | null;
  /** The program and its first arguments, in place of those of the image. */
  readonly command: readonly string[];
  /** Without secrets of the job: the provider stores and shows it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Network volumes, and where they are mounted. */
  readonly volumes: readonly { readonly id: string; readonly path: string }[];
}

export interface VmOrder {
  /** Deterministic. */
  readonly name: string;
  readonly offer: Offer;
  readonly owner: OwnerTags;
  /** With those of the owner, which win. */
  readonly tags: Readonly<Record<string, string>>;
  /** One line each; the first is that of the project. */
  readonly authorizedKeys: readonly string[];
  /** For cloud-init; empty for containers, and where machines take none. */
  readonly userData: string;
  /** The container, if the machine is the container of a job; omitted for all others. */
  readonly container?: VmContainer;
  /** The same as in `InstanceOrder`; null or omitted = in none. */
  readonly placementGroup?: string | null;
  readonly reservation?: string | null;
  /** Aborted before the call that creates it is sent, it is not sent. */
  readonly signal?: AbortSignal | undefined;
}
