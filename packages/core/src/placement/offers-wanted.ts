import type { Requirements } from '@dstack/contract/wire';
import type { BackendName, Id, Offer } from '../model/index.ts';

/**
 * A question to the backends that has to be answered before placement or a plan can be computed.
 * Equal questions have equal keys, so that a hundred equal runs ask once.
 *
 * The answer is every offer that satisfies `requirements` (`requirementsMatch`), each backend's in
 * its own order; merge them with `mergeByPrice`. Regions, zones, instance types, features and
 * blocks are applied here, not by the caller.
 */
export interface OffersWanted {
  readonly key: string;
  /** Null: no fleet is meant (`for_offers_only` without fleets). */
  readonly fleetId: Id | null;
  /** Fleet and run combined. */
  readonly requirements: Requirements;
  /** Backends worth asking; null = all of the project. */
  readonly backends: readonly BackendName[] | null;
}

/** Answers by key of the question; a key that is missing counts as no offers. */
export type BackendOffers = ReadonlyMap<string, readonly Offer[]>;

/** Why a backend did not answer; `text` is for people. */
export interface BackendNote {
  readonly backend: BackendName;
  readonly rule: 'backend_refused' | 'backend_timeout' | 'backend_error';
  readonly text: string;
}

/** What the backends of a project answered, and which of them did not. */
export interface BackendAnswers {
  readonly offers: BackendOffers;
  readonly notes: readonly BackendNote[];
}

/** A backend that the project may use. */
export interface BackendAbility {
  readonly name: BackendName;
  /** False: its offers can be shown, but this server cannot create machines there. */
  readonly makesMachines: boolean;
}

/** The state of a project's backends, known without asking them. */
export interface BackendsState {
  readonly abilities: readonly BackendAbility[];
  /** Why the project may not use the server's machine; null = it may. */
  readonly localOff: string | null;
}
