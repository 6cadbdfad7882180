import { hash } from 'node:crypto';
import type { Id } from '@dstack/core';
import { RateBuckets } from '@dstack/proxy';
import type { Store } from '@dstack/store';
import type { FrameOf } from './bound-frames.ts';

export interface GatewayRatesOptions {
  readonly store: {
    readonly shared: boolean;
    readonly services: Pick<Store['services'], 'takeRates'>;
  };
  /** Microseconds. */
  readonly now: () => number;
}

/** Counts the rates that the replicas of one gateway share. Those of other gateways are counted apart. */
export class GatewayRates {
  readonly #options: GatewayRatesOptions;
  readonly #buckets: RateBuckets;

  constructor(options: GatewayRatesOptions) {
    this.#options = options;
    this.#buckets = new RateBuckets(() => options.now() / 1000);
  }

  async take(
    gatewayId: Id,
    { run_id: runId, key: given, rps, burst, most }: FrameOf<'rate'>,
  ): Promise<{ readonly granted: number; readonly wait_ms: number }> {
    const { store, now } = this.#options;
    // A gateway chooses its keys, and must not reach those of others.
    const key = hash('sha256', `${gatewayId}\n${given}`, 'base64');
    const rate = { rps, burst };
    const { granted, waitMs } = store.shared
      ? await store.services.takeRates(key, rate, most, now())
      : this.#buckets.takeUpTo(key, rate, runId ?? gatewayId, most);
    return { granted, wait_ms: waitMs };
  }
}
