import type { EngineSettings, Id } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { SimWorld } from './sim-backends.ts';
import type { SimServer } from './sim-server.ts';

/** The subjects of the invariants, at one moment. */
export interface Scene {
  readonly store: Store;
  readonly world: SimWorld;
  readonly servers: readonly SimServer[];
  readonly projects: readonly { readonly id: Id; readonly name: string }[];
  readonly now: () => number;
  /** Since when this time has passed evenly, no server was stopped and continued, and one could open connections. */
  readonly steadySince: () => number;
  /** Until when one of the servers could open no connection. */
  readonly shortUntil: () => number;
  readonly newId: () => Id;
  readonly settings: EngineSettings;
}
