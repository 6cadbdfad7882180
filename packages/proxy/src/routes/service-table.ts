import type { CountedSecond, MeasuredSlot } from '../values.ts';
import type { ServiceRoute } from './service-route.ts';

/** The services that a process serves, and where it reports their requests. */
export interface ServiceTable {
  /** Null: there is no such service, or it is served elsewhere. */
  byName(projectName: string, runName: string): Promise<ServiceRoute | null>;
  /** Adds to the counts of this process (`owner`). `signals`: runs to examine at once. */
  addRequests(
    owner: string,
    counts: readonly CountedSecond[],
    extras?: { readonly signals?: readonly { readonly kind: 'run'; readonly id: string }[] },
  ): Promise<void>;
  /** Replaces what this process (`owner`) has measured in these slots. */
  setLoad(owner: string, slots: readonly MeasuredSlot[]): Promise<void>;
  /** Counts a request of a limit that several processes share, see `TakeRate`. */
  takeRate(
    key: string,
    rate: { readonly rps: number; readonly burst: number },
    now: number,
  ): Promise<number>;
}
