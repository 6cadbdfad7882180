import type { SimKnobs } from './sim-backend.ts';

/** Probabilities between 0 and 1, and times in seconds. All of them may change while it runs. */
export interface SimFaults {
  /** No machine of the offer is left; `quota` is the number of machines that may exist. */
  noCapacity: number;
  quota: number;
  /** A call fails with an error of the provider (500), or is refused as one too many (429). */
  error: number;
  rateLimit: number;
  /** The call takes effect, but its answer is lost. */
  lostResponse: number;
  /** The longest time that a call takes. */
  slowSeconds: number;
  /** Shortest and longest time until a machine is ready. */
  bootSeconds: readonly [number, number];
  /** A machine or volume never becomes ready, or fails after its order was accepted. */
  neverReady: number;
  failsToBoot: number;
  /** How long answers do not contain a new machine or volume. */
  eventualSeconds: number;
  /** The first request to release a machine is accepted without an effect. */
  slowRelease: number;
  /** Shortest and longest time until a volume is attached, and until it is detached. */
  attachSeconds: readonly [number, number];
  /** A volume can only be detached by force. */
  stuckDetach: number;
  /**
   * Holds back, as long as it is set, calls before or after their effect, or machines that boot.
   */
  hold: 'request' | 'answer' | 'boot' | null;
}

export const NO_FAULTS: SimFaults = {
  noCapacity: 0,
  quota: Number.POSITIVE_INFINITY,
  error: 0,
  rateLimit: 0,
  lostResponse: 0,
  slowSeconds: 0,
  bootSeconds: [0, 0],
  neverReady: 0,
  failsToBoot: 0,
  eventualSeconds: 0,
  slowRelease: 0,
  attachSeconds: [0, 0],
  stuckDetach: 0,
  hold: null,
};

/** `base`, overridden by the values of `knobs`. */
export function simFaultsOf(knobs: SimKnobs, base: SimFaults = NO_FAULTS): SimFaults {
  return {
    bootSeconds: knobs.boot_seconds ?? base.bootSeconds,
    neverReady: knobs.never_ready ?? base.neverReady,
    failsToBoot: knobs.fails_to_boot ?? base.failsToBoot,
    noCapacity: knobs.no_capacity ?? base.noCapacity,
    quota: knobs.quota ?? base.quota,
    error: knobs.error ?? base.error,
    rateLimit: knobs.rate_limit ?? base.rateLimit,
    lostResponse: knobs.lost_response ?? base.lostResponse,
    slowSeconds: knobs.slow_seconds ?? base.slowSeconds,
    eventualSeconds: knobs.eventual_seconds ?? base.eventualSeconds,
    slowRelease: knobs.slow_release ?? base.slowRelease,
    attachSeconds: knobs.attach_seconds ?? base.attachSeconds,
    stuckDetach: knobs.stuck_detach ?? base.stuckDetach,
    hold: knobs.hold ?? base.hold,
  };
}
