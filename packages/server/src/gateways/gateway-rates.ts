import { hash } from 'node:crypto';
import { MOST_WAITED_MS } from '@dstack/contract/agent';
import type { Id } from '@dstack/core';
import { RateBuckets } from '@dstack/proxy';
import type { Store } from '@dstack/store';
import { Turns } from '../hosts/supervisor/turns.ts';
import type { FrameOf } from './bound-frames.ts';

export interface GatewayRatesOptions {
  readonly store: {
    readonly shared: boolean;
    readonly services: Pick<Store['services'], 'takeRates'>;
  };
  /** Microseconds. */
  readonly now: () => number;
}

/** Statements at a time: of one gateway, and of all. The others of the pool are left to the rest of the server. */
const LANES = 4;
const MOST_AT_A_TIME = 8;

/**
 * Keys of one gateway in this time (ms) that become rows of the database. Clients choose keys, and a gateway may lie: further
 * ones are counted in the memory of this server, which forgets the oldest.
 */
const MOST_STORED = 6000;
const STORED_MS = 60_000;

/** Counts the rates that the replicas of one gateway share. Those of other gateways are counted apart. */
export class GatewayRates {
  readonly #options: GatewayRatesOptions;
  readonly #buckets: RateBuckets;
  readonly #turns = new Turns(MOST_AT_A_TIME);
  /** By gateway, the keys in the database since the time below. */
  readonly #stored = new Map<Id, Set<string>>();
  #storedSince = 0;

  constructor(options: GatewayRatesOptions) {
    this.#options = options;
    const limits = { mostWaitedMs: MOST_WAITED_MS };
    this.#buckets = new RateBuckets(() => options.now() / 1000, limits);
  }

  async take(
    gatewayId: Id,
    { run_id: runId, key: given, rps, burst, most, waited_ms }: FrameOf<'rate'>,
  ): Promise<{ readonly granted: number; readonly wait_ms: number }> {
    const { store, now } = this.#options;
    // A gateway chooses its keys, and must not reach those of others.
    const key = hash('sha256', `${gatewayId}\n${given}`, 'base64');
    const rate = { rps, burst };
    const waitedMs = waited_ms ?? 0;
    const { granted, waitMs } = this.#isStored(gatewayId, key)
      ? await this.#turns.run(laneOf(gatewayId, key), () =>
          store.services.takeRates(key, rate, { most, waitedMs, now: now() }),
        )
      : this.#buckets.takeUpTo(key, rate, runId ?? gatewayId, most, waitedMs);
    return { granted, wait_ms: waitMs };
  }

  #isStored(gatewayId: Id, key: string): boolean {
    const { store, now } = this.#options;
    if (!store.shared) return false;
    const nowMs = now() / 1000;
    if (Math.abs(nowMs - this.#storedSince) >= STORED_MS) {
      this.#storedSince = nowMs;
      this.#stored.clear();
    }
    const keys = this.#stored.get(gatewayId) ?? new Set<string>();
    this.#stored.set(gatewayId, keys);
    if (keys.size < MOST_STORED) keys.add(key);
    return keys.has(key);
  }
}

/** The questions of one lane follow each other; those about one key share a lane. */
const laneOf = (gatewayId: Id, key: string) => `${gatewayId} ${key.charCodeAt(0) % LANES}`;
