import { setTimeout as delay } from 'node:timers/promises';
import { ApiError } from '@dstack/contract/api';
import type { Id, Timestamp } from '@dstack/core';
import type { Access, AccessSubject } from '@dstack/store';
import type { Logger } from '../process/logging.ts';

/** An admitted user, and the project that they were admitted to. */
export interface AdmittedCaller {
  readonly userId: Id;
  /** Null: to all projects of theirs. */
  readonly projectId: Id | null;
  /** When the token expires; null = never. */
  readonly expiresAt: Timestamp | null;
}

/** Identifies the caller; throws `ApiError` if access is denied. */
export type IdentifyCaller<C extends AdmittedCaller> = () => Promise<C>;

export interface AccessWatchOptions {
  readonly access: Pick<Access, 'onChanged'>;
  /** Whether other servers may revoke access too. */
  readonly shared: boolean;
  /** Microseconds. */
  readonly now: () => Timestamp;
  readonly log: Logger;
  /** Milliseconds. */
  readonly wait?: (ms: number) => Promise<unknown>;
}

/** A caller whose access is watched. */
export interface Admission<C extends AdmittedCaller> {
  readonly caller: C;
  /** Checks the access again, as after a change. */
  recheck(): void;
  /** Stops watching; call it when the request or stream is over. */
  release(): void;
}

interface Watched {
  readonly caller: AdmittedCaller;
  /** When the caller's access expires; null = never. Sessions are extended while they are used. */
  expiresAt: Timestamp | null;
  readonly identify: IdentifyCaller<AdmittedCaller>;
  readonly onRevoked: () => void;
  readonly onChange: (() => void) | undefined;
  readonly onConfirmed: ((caller: AdmittedCaller) => void) | undefined;
  expiry: NodeJS.Timeout | undefined;
  isChecking: boolean;
  checkAgain: boolean;
}

/** Access that the database cannot confirm within this many tries, a second apart, counts as revoked. */
const TRIES = 5;
const TRY_AGAIN_MS = 1000;

/** Catches revocations whose notification was lost. */
const SWEEP_MS = 60_000;

/** The time may step over the expiry (ms): timers do not follow it. */
const LONGEST_TIMER = 30_000;

/**
 * Ends streams, tunnels and requests when the access of the user who opened them is revoked. It checks
 * the access again whenever it may have changed, and when the token expires.
 */
export class AccessWatch {
  readonly #options: AccessWatchOptions;
  readonly #watched = new Set<Watched>();
  readonly #unsubscribe: () => void;
  #changes = 0;
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: AccessWatchOptions) {
    this.#options = options;
    this.#unsubscribe = options.access.onChanged((subject) => this.#changed(subject));
  }

  /**
   * Identifies a caller and watches their access until `release`. Calls `onChange` as soon as the access
   * may have changed, and after the check either `onConfirmed` with the caller as they are now, or
   * `onRevoked`, at most once. Throws what `identify` throws.
   */
  async admit<C extends AdmittedCaller>(
    identify: IdentifyCaller<C>,
    onRevoked: () => void,
    onChange?: () => void,
    onConfirmed?: (caller: C) => void,
  ): Promise<Admission<C>> {
    const changesBefore = this.#changes;
    const caller = await identify();
    const entry = {
      ...{ caller, identify, onRevoked, onChange, isChecking: false, checkAgain: false },
      // The caller comes from `identify`, which returns this type.
      onConfirmed: onConfirmed as ((found: AdmittedCaller) => void) | undefined,
    };
    const watched: Watched = { ...entry, expiresAt: caller.expiresAt, expiry: undefined };
    this.#watched.add(watched);
    this.#awaitExpiry(watched);
    this.#sweepWhileNeeded();
    // `identify` may have read the state from before a change that came while it ran.
    if (changesBefore !== this.#changes) this.#onChange(watched);
    return {
      caller,
      recheck: () => this.#onChange(watched),
      release: () => this.#release(watched),
    };
  }

  /** Number of callers that are watched. */
  get watched(): number {
    return this.#watched.size;
  }

  close(): void {
    this.#unsubscribe();
    for (const watched of this.#watched) this.#release(watched);
  }

  #changed(subject: AccessSubject | null): void {
    this.#changes += 1;
    for (const watched of this.#watched) {
      if (subject === null || concerns(subject, watched.caller)) this.#onChange(watched);
    }
  }

  #onChange(watched: Watched): void {
    watched.onChange?.();
    // `onChange` may have released it.
    if (this.#watched.has(watched)) void this.#check(watched);
  }

  async #check(watched: Watched): Promise<void> {
    watched.checkAgain = true;
    if (watched.isChecking) return;
    watched.isChecking = true;
    let found: AdmittedCaller | null = watched.caller;
    while (watched.checkAgain && found !== null && this.#watched.has(watched)) {
      watched.checkAgain = false;
      found = await this.#admitted(watched);
    }
    watched.isChecking = false;
    if (!this.#watched.has(watched)) return;
    if (found !== null) return watched.onConfirmed?.(found);
    this.#release(watched);
    watched.onRevoked();
  }

  /** Null: access is denied. */
  async #admitted(watched: Watched): Promise<AdmittedCaller | null> {
    const { caller, identify } = watched;
    const { log, wait = delay } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        const found = await identify();
        if (found.expiresAt !== watched.expiresAt) {
          watched.expiresAt = found.expiresAt;
          this.#awaitExpiry(watched);
        }
        const isSame = found.userId === caller.userId && found.projectId === caller.projectId;
        return isSame ? found : null;
      } catch (error) {
        if (error instanceof ApiError) return null;
        log.warn({ err: error, tries }, 'access cannot be checked again');
        if (tries === TRIES) return null;
        await wait(TRY_AGAIN_MS);
      }
    }
  }

  #awaitExpiry(watched: Watched): void {
    const { expiresAt } = watched;
    clearTimeout(watched.expiry);
    if (expiresAt === null || !this.#watched.has(watched)) return;
    const left = Math.ceil((expiresAt - this.#options.now()) / 1000);
    const onTime = () => {
      // A timer fires early if its delay was limited, or by rounding.
      if (this.#options.now() < expiresAt) this.#awaitExpiry(watched);
      else this.#onChange(watched);
    };
    watched.expiry = setTimeout(onTime, Math.min(Math.max(left, 1), LONGEST_TIMER)).unref();
  }

  #sweepWhileNeeded(): void {
    if (!this.#options.shared || this.#sweep !== undefined) return;
    this.#sweep = setInterval(() => this.#changed(null), SWEEP_MS).unref();
  }

  #release(watched: Watched): void {
    clearTimeout(watched.expiry);
    this.#watched.delete(watched);
    if (this.#watched.size > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }
}

function concerns({ kind, id }: AccessSubject, caller: AdmittedCaller): boolean {
  if (kind === 'user') return caller.userId === id;
  return caller.projectId === null || caller.projectId === id;
}
