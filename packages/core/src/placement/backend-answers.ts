/** The facts about a project's backends that placement, plans and explanations use. */
import type { BackendName, Offer } from '../model/index.ts';

/** Answers by key of the question; a key that is missing counts as no offers. */
export type BackendOffers = ReadonlyMap<string, readonly Offer[]>;

/** Why a backend did not answer, or (`cordoned`) what it has closed; `text` is for people. */
export interface BackendNote {
  readonly backend: BackendName;
  readonly rule: 'backend_refused' | 'backend_timeout' | 'backend_error' | 'cordoned';
  readonly text: string;
}

/** The offers of a project's backends, and notes about these backends. */
export interface BackendAnswers {
  readonly offers: BackendOffers;
  readonly notes: readonly BackendNote[];
}

/** A backend that the project may use. */
export interface BackendAbility {
  readonly name: BackendName;
  /** False: its offers can be shown, but this server cannot create machines there. */
  readonly createsInstances: boolean;
}

/** The state of a project's backends that is known without asking them. */
export interface BackendsState {
  readonly abilities: readonly BackendAbility[];
  /** Why the project may not use the server host; null = it may. */
  readonly localOff: string | null;
}
