/** Keeps the calls of one account within the provider's limits, so that none has to be refused. */
import { TurnError } from '../errors.ts';
import type { CallPace } from './pace.ts';

/** In the order in which waiting calls are admitted: users wait for machines, and machines cost money. */
export const CALL_KINDS = ['create', 'end', 'look'] as const;
export type CallKind = (typeof CALL_KINDS)[number];

/** At most `calls` begin within `seconds`. */
export interface CallRule {
  readonly calls: number;
  readonly seconds: number;
  /** Omitted: the rule holds for all calls together. */
  readonly kind?: CallKind;
}

export interface LimiterOptions {
  /** For messages. */
  readonly title: string;
  readonly rules: readonly CallRule[];
  readonly pace: CallPace;
  /** How long a call waits for its turn, in milliseconds: callers have limits of their own. */
  readonly patienceMs?: number;
  /** Null, or omitted: no other server uses the account. */
  readonly shared?: SharedTurns | null;
}

/** Turns that several servers take together. */
export interface SharedTurns {
  /** Milliseconds until a call of this kind may begin; 0 = it may now, and is counted. */
  take(kind: CallKind): Promise<number>;
  /** The provider refuses calls for this long, in milliseconds. */
  pause(ms: number): Promise<void>;
}

const PATIENCE_MS = 20_000;
/** Calls arrive with varying delays: two that begin a second apart may arrive closer together. */
const SPARE_MS = 50;
/** After a refusal that does not say when to come back; doubled with each further one. */
const PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

interface Waiting {
  readonly kind: CallKind;
  readonly admit: () => void;
}

export class CallLimiter {
  readonly #options: LimiterOptions;
  readonly #begun: number[][];
  readonly #waiting: Waiting[] = [];
  #pausedUntil = Number.NEGATIVE_INFINITY;
  #refusals = 0;
  #timer: AbortController | null = null;
  /** A turn is being taken together with the other servers. */
  #isTaking = false;
  /** When such a turn may be tried again. */
  readonly #heldUntil = new Map<CallKind, number>();

  constructor(options: LimiterOptions) {
    this.#options = options;
    this.#begun = options.rules.map(() => []);
  }

  /** Resolves when a call may begin. Rejects with `TurnError`, or with the reason of the signal. */
  async turn(kind: CallKind, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { pace, patienceMs = PATIENCE_MS } = this.#options;
    const admitted = Promise.withResolvers<void>();
    const waiting = { kind, admit: () => admitted.resolve() };
    this.#waiting.push(waiting);
    const over = new AbortController();
    const leave = () => admitted.reject(signal?.reason);
    signal?.addEventListener('abort', leave, { once: true });
    this.#admit();
    if (this.#waiting.includes(waiting)) {
      const late = () => admitted.reject(this.#lateError(kind));
      pace.delay(patienceMs, over.signal).then(late, () => {});
    }
    try {
      await admitted.promise;
    } finally {
      over.abort();
      signal?.removeEventListener('abort', leave);
      const at = this.#waiting.indexOf(waiting);
      if (at >= 0) this.#waiting.splice(at, 1);
    }
  }

  /** The provider refuses further calls. `ms`: how long; null = it does not report that. */
  refused(ms: number | null): void {
    const guess = Math.min(LONGEST_PAUSE_MS, PAUSE_MS * 2 ** this.#refusals++);
    const pause = Math.min(LONGEST_PAUSE_MS, ms ?? guess);
    const until = this.#options.pace.now() + pause;
    // Without the database the others find out by themselves.
    this.#options.shared?.pause(pause).catch(() => {});
    this.#pausedUntil = Math.max(this.#pausedUntil, until);
  }

  /** A call was answered. */
  answered(): void {
    this.#refusals = 0;
  }

  #admit(): void {
    const { pace, shared = null } = this.#options;
    if (shared !== null) {
      this.#admitTogether(shared);
      return;
    }
    for (const kind of CALL_KINDS) {
      for (const waiting of this.#waiting.filter((one) => one.kind === kind)) {
        if (this.#openIn(kind) > 0) break;
        this.#begin(kind, pace.now());
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        waiting.admit();
      }
    }
    this.#wake();
  }

  /** One turn after another, so that it is given to the most important call that waits when it comes. */
  #admitTogether(shared: SharedTurns): void {
    if (this.#isTaking) return;
    const kind = CALL_KINDS.find(
      (one) => this.#waiting.some((waiting) => waiting.kind === one) && this.#openIn(one) <= 0,
    );
    if (kind === undefined) {
      this.#wake();
      return;
    }
    this.#isTaking = true;
    const taken = (waitMs: number) => {
      const now = this.#options.pace.now();
      this.#isTaking = false;
      const first = this.#waiting.find((one) => one.kind === kind);
      if (waitMs > 0) this.#heldUntil.set(kind, now + waitMs);
      else if (first) {
        this.#begin(kind, now);
        this.#waiting.splice(this.#waiting.indexOf(first), 1);
        first.admit();
      }
      this.#admit();
    };
    // Without the database the limits of this server alone have to do.
    shared.take(kind).then(taken, () => taken(0));
  }

  /** Milliseconds until a call of this kind may begin. */
  #openIn(kind: CallKind): number {
    const now = this.#options.pace.now();
    const held = this.#heldUntil.get(kind) ?? Number.NEGATIVE_INFINITY;
    let wait = Math.max(this.#pausedUntil, held) - now;
    for (const [index, rule] of this.#options.rules.entries()) {
      if (!applies(rule, kind)) continue;
      const length = rule.seconds * 1000 + SPARE_MS;
      const begun = (this.#begun[index] ?? []).filter((at) => now - at < length);
      this.#begun[index] = begun;
      const oldest = begun.at(-rule.calls);
      if (oldest !== undefined) wait = Math.max(wait, oldest + length - now);
    }
    return wait;
  }

  #begin(kind: CallKind, now: number): void {
    for (const [index, rule] of this.#options.rules.entries()) {
      if (applies(rule, kind)) this.#begun[index]?.push(now);
    }
  }

  /** Looks again as soon as one of the waiting calls may begin. */
  #wake(): void {
    this.#timer?.abort();
    this.#timer = null;
    const kinds = new Set(this.#waiting.map(({ kind }) => kind));
    if (kinds.size === 0) return;
    const timer = new AbortController();
    this.#timer = timer;
    const ms = Math.max(1, Math.min(...[...kinds].map((kind) => this.#openIn(kind))));
    this.#options.pace.delay(ms, timer.signal).then(
      () => {
        if (this.#timer === timer) this.#admit();
      },
      () => {},
    );
  }

  #lateError(kind: CallKind): TurnError {
    const ahead = this.#waiting.filter((one) => one.kind === kind).length - 1;
    const others = ahead > 0 ? `, behind ${ahead} of the same kind` : '';
    return new TurnError(
      `${this.#options.title}: waiting for a turn, because the account allows few calls${others}`,
    );
  }
}

function applies({ kind }: CallRule, of: CallKind): boolean {
  return kind === undefined || kind === of;
}
