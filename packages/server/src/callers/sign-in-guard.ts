/**
 * Slows down attempts to guess tokens: counts unknown tokens per address, in the memory of this server.
 * A request that needs no token is neither counted nor refused.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { networkOf } from '@dstack/proxy';
import type { CallerAddress } from './caller-address.ts';

const WINDOW_MS = 60_000;

/** Addresses and tokens remembered; the oldest are forgotten first. */
const MAX_REMEMBERED = 10_000;

/** Above the limit an address has one look-up at a time, which takes milliseconds. */
const RETRY_AFTER_SECONDS = 1;

/** Looks up a token for a caller; null if it is unknown. Rejects with `TooManySignIns`. */
export type TokenLookUp = <T>(token: string, look: () => Promise<T | null>) => Promise<T | null>;

export class TooManySignIns extends Error {
  override name = 'TooManySignIns';
  readonly retryAfterSeconds = RETRY_AFTER_SECONDS;

  constructor() {
    super('Too many wrong tokens from this address');
  }
}

export interface SignInGuardOptions {
  /** Unknown tokens per minute and address; 0 = no limit. */
  readonly limit: number;
  readonly addressOf: CallerAddress;
  /** Milliseconds. */
  readonly now: () => number;
}

interface Failures {
  readonly since: number;
  readonly count: number;
}

export class SignInGuard {
  readonly #options: SignInGuardOptions;
  readonly #failures = new Map<string, Failures>();
  /** Fingerprints of known tokens: one broken program must not lock out others at its address. */
  readonly #good = new Set<string>();
  /** By address, the tokens that are being looked up. */
  readonly #pending = new Map<string, Map<string, Promise<unknown>>>();

  constructor(options: SignInGuardOptions) {
    this.#options = options;
  }

  /** IP address of the caller. */
  addressOf(request: IncomingMessage): string {
    return this.#options.addressOf(request);
  }

  from(request: IncomingMessage): TokenLookUp {
    return this.fromAddress(this.addressOf(request));
  }

  fromAddress(address: string): TokenLookUp {
    if (this.#options.limit === 0) return (_token, look) => look();
    const network = networkOf(address);
    return (token, look) => this.#lookUp(network, fingerprint(token), look);
  }

  async #lookUp<T>(
    network: string,
    token: string,
    look: () => Promise<T | null>,
  ): Promise<T | null> {
    for (;;) {
      if (this.#good.has(token)) return await this.#noted(network, token, look);
      const pending = this.#pending.get(network);
      const isOver = this.#count(network) + (pending?.size ?? 0) >= this.#options.limit;
      // Requests with the same new token wait for the look-up of the first one.
      const same = pending?.get(token);
      if (isOver && pending) throw new TooManySignIns();
      if (same === undefined) break;
      await same;
    }
    const looked = this.#noted(network, token, look);
    this.#begin(network, token, looked);
    return await looked;
  }

  async #noted<T>(
    network: string,
    token: string,
    look: () => Promise<T | null>,
  ): Promise<T | null> {
    const found = await look();
    this.#good.delete(token);
    if (found === null) this.#failed(network);
    else {
      this.#good.add(token);
      forgetOldest(this.#good);
    }
    return found;
  }

  #begin(network: string, token: string, looked: Promise<unknown>): void {
    const pending = this.#pending.get(network) ?? new Map<string, Promise<unknown>>();
    this.#pending.set(network, pending);
    const end = () => {
      pending.delete(token);
      if (pending.size === 0) this.#pending.delete(network);
    };
    pending.set(token, looked.then(end, end));
  }

  #count(network: string): number {
    const failures = this.#failures.get(network);
    if (failures && this.#options.now() - failures.since < WINDOW_MS) return failures.count;
    this.#failures.delete(network);
    return 0;
  }

  #failed(network: string): void {
    const count = this.#count(network) + 1;
    const since = this.#failures.get(network)?.since ?? this.#options.now();
    this.#failures.set(network, { since, count });
    forgetOldest(this.#failures);
  }
}

/** Tokens are not kept in plain text. */
function fingerprint(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}

function forgetOldest(remembered: {
  readonly size: number;
  keys(): Iterator<string>;
  delete(key: string): boolean;
}): void {
  if (remembered.size <= MAX_REMEMBERED) return;
  const oldest = remembered.keys().next();
  if (!oldest.done) remembered.delete(oldest.value);
}
