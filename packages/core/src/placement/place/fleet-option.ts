/** Where a gang can be placed. */
import type { FleetRecord, InstanceRecord, Offer, VolumeRecord } from '../../model/index.ts';
import type { NewSlot } from './new-capacity.ts';

/** A share of an existing instance. */
export interface ExistingSlot {
  readonly kind: 'existing';
  readonly instance: InstanceRecord;
  readonly blocks: number;
  /** The job's share of the instance. */
  readonly offer: Offer;
  /** One for each mount of a named volume. */
  readonly volumes: readonly VolumeRecord[];
}

/** The place of one job of a gang: an existing instance or a new one. */
export type Slot = ExistingSlot | NewSlot;

/** A fleet in which the whole gang finds a place. */
export interface FleetOption {
  readonly fleet: FleetRecord;
  /** One per node, in the gang's order. */
  readonly slots: readonly Slot[];
  /** Prices of the cheapest existing instance and of the cheapest new one; Infinity = none. */
  readonly poolPrice: number;
  readonly offerPrice: number;
}
