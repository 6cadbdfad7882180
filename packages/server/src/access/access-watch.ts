import { setTimeout as delay } from 'node:timers/promises';
import { ApiError } from '@dstack/contract/api';
import type { Id, Timestamp } from '@dstack/core';
import type { Access, AccessSubject } from '@dstack/store';
import type { Logger } from '../logging.ts';

/** Who was let in, and where. */
export interface Caller {
  readonly userId: Id;
  readonly projectId: Id;
  /** When their token runs out; null = never. */
  readonly expiresAt: Timestamp | null;
}

/** Says who the caller is; throws `ApiError` if they may not come in. */
export type LookAtCaller<C extends Caller> = () => Promise<C>;

export interface AccessWatchOptions {
  readonly access: Pick<Access, 'onChanged'>;
  /** Other servers may take access from somebody too. */
  readonly shared: boolean;
  /** Microseconds. */
  readonly now: () => Timestamp;
  readonly log: Logger;
  /** Milliseconds. */
  readonly wait?: (ms: number) => Promise<unknown>;
}

/** Somebody who was let in and is still there. */
export interface Admission<C extends Caller> {
  readonly caller: C;
  /** To be called when they have left. */
  release(): void;
}

interface Watched {
  readonly caller: Caller;
  readonly look: LookAtCaller<Caller>;
  readonly end: () => void;
  readonly onChange: (() => void) | undefined;
  expiry: NodeJS.Timeout | undefined;
  isLooking: boolean;
  lookAgain: boolean;
}

/** A database that does not answer for this many seconds leaves access unproven. */
const TRIES = 5;
const TRY_AGAIN_MS = 1000;

/** Finds what a broken connection to other servers has swallowed. */
const SWEEP_MS = 60_000;

/** The longest that a timer can be set to, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * Ends what was opened by somebody who may not have it any more: streams, tunnels, requests. Their
 * access is looked at again whenever it may have changed, and when their token runs out.
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
   * Lets somebody in and calls `end` at most once, when their access is taken from them. `onChange`
   * is called at once when that may be so, before anything is known. Throws what `look` throws.
   */
  async admit<C extends Caller>(
    look: LookAtCaller<C>,
    end: () => void,
    onChange?: () => void,
  ): Promise<Admission<C>> {
    const changesBefore = this.#changes;
    const caller = await look();
    const entry = { caller, look, end, onChange, isLooking: false, lookAgain: false };
    const watched: Watched = { ...entry, expiry: undefined };
    this.#watched.add(watched);
    this.#awaitExpiry(watched);
    this.#sweepWhileNeeded();
    // The caller may have been read before a change that nobody watched for yet.
    if (changesBefore !== this.#changes) this.#onChange(watched);
    return { caller, release: () => this.#release(watched) };
  }

  /** How many are watched. */
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
    // It may have been released just now.
    if (this.#watched.has(watched)) void this.#look(watched);
  }

  async #look(watched: Watched): Promise<void> {
    watched.lookAgain = true;
    if (watched.isLooking) return;
    watched.isLooking = true;
    let isAdmitted = true;
    while (watched.lookAgain && isAdmitted && this.#watched.has(watched)) {
      watched.lookAgain = false;
      isAdmitted = await this.#isAdmitted(watched);
    }
    watched.isLooking = false;
    if (isAdmitted || !this.#watched.has(watched)) return;
    this.#release(watched);
    watched.end();
  }

  async #isAdmitted({ caller, look }: Watched): Promise<boolean> {
    const { log, wait = delay } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        const found = await look();
        return found.userId === caller.userId && found.projectId === caller.projectId;
      } catch (error) {
        if (error instanceof ApiError) return false;
        log.warn({ err: error, tries }, 'access cannot be looked at again');
        if (tries === TRIES) return false;
        await wait(TRY_AGAIN_MS);
      }
    }
  }

  #awaitExpiry(watched: Watched): void {
    const { expiresAt } = watched.caller;
    if (expiresAt === null) return;
    const left = Math.ceil((expiresAt - this.#options.now()) / 1000);
    const onTime = () => {
      // Timers are cut short where the time is too long for them, and may be early by a little.
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

function concerns({ kind, id }: AccessSubject, caller: Caller): boolean {
  return kind === 'user' ? caller.userId === id : caller.projectId === id;
}
