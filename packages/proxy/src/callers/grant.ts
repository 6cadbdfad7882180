import type { AdmissionAsk, GrantedCaller } from './grants.ts';

/** Milliseconds: the server reports changes at once, this catches what was lost. */
const FRESH_MS = 30_000;

/** An admitted caller, and the open requests of theirs. */
export class Grant {
  /** The last question about them; null = another process has asked. */
  ask: AdmissionAsk | null = null;
  usedAt: number;
  #caller: GrantedCaller;
  #confirmedAt: number;
  #isFresh = true;
  #isRevoked = false;
  readonly #open = new Set<() => void>();

  constructor(caller: GrantedCaller, confirmedAt: number, now: number) {
    this.#caller = caller;
    this.#confirmedAt = confirmedAt;
    this.usedAt = now;
  }

  get caller(): GrantedCaller {
    return this.#caller;
  }

  get isOpen(): boolean {
    return this.#open.size > 0;
  }

  isFresh(now: number): boolean {
    return this.#isFresh && this.age(now) < FRESH_MS && !this.isExpired(now);
  }

  /** The token has ended, or the access may have changed. */
  isDoubtful(now: number): boolean {
    return !this.#isFresh || this.isExpired(now);
  }

  isUsable(now: number, maxAgeMs: number): boolean {
    return this.age(now) < maxAgeMs && !this.isExpired(now);
  }

  confirm(caller: GrantedCaller, at: number): void {
    this.#caller = caller;
    this.#confirmedAt = at;
    this.#isFresh = true;
  }

  expire(): void {
    this.#isFresh = false;
  }

  isFor(ask: AdmissionAsk): this {
    this.ask = ask;
    return this;
  }

  used(now: number): this {
    this.usedAt = now;
    return this;
  }

  hold(ask: AdmissionAsk, onRevoked: () => void): () => void {
    this.ask = ask;
    // A separate function for each call: two requests may pass the same `onRevoked`.
    const request = () => onRevoked();
    if (this.#isRevoked) request();
    else this.#open.add(request);
    return () => this.#open.delete(request);
  }

  revoke(): void {
    this.#isRevoked = true;
    const open = [...this.#open];
    this.#open.clear();
    for (const onRevoked of open) onRevoked();
  }

  /** Also if the clock was set back meanwhile. */
  age(now: number): number {
    return Math.abs(now - this.#confirmedAt);
  }

  isExpired(now: number): boolean {
    const { expiresAt } = this.#caller;
    return expiresAt !== null && now * 1000 >= expiresAt;
  }
}
