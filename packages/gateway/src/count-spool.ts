import { randomUUID } from 'node:crypto';
import type { GatewayCommand } from '@dstack/contract/agent';
import type { CountBatch, ServiceCount, StoredState } from './stored-state.ts';

/** Older counts are outside every window of the server. */
const KEPT_SECONDS = 3600;
const SEND_MS = 1000;
/** The server may have failed to store a message, and has answered nothing. */
const AGAIN_MS = 5000;
/** Counts in one message. A server refuses twice as many. */
const MOST_SENT = 5000;
/** Counts that are kept; the oldest ones matter least. */
const MOST_KEPT = 50_000;
/** A long file is written less often. */
const SEND_MANY_MS = 10_000;

export type SendCounts = (frame: {
  readonly type: 'counts';
  readonly n: number;
  readonly batch: string;
  readonly counts: readonly ServiceCount[];
  readonly waiting: readonly string[];
  readonly sent_at: number;
}) => boolean;

/** Counted requests, until the server has stored them. */
export class CountSpool {
  readonly #state: StoredState;
  readonly #send: SendCounts;
  readonly #now: () => number;
  readonly #counts = new Map<string, ServiceCount>();
  readonly #waiting = new Set<string>();
  /** The server may have received it, so it stays as it is. */
  #sent: (CountBatch & { readonly n: number; readonly at: number }) | null = null;
  #last = 0;
  /** The disk has counts that were not confirmed. */
  #isStored = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(state: StoredState, send: SendCounts, now: () => number = Date.now) {
    this.#state = state;
    this.#send = send;
    this.#now = now;
    for (const count of state.read('counts') ?? []) this.#add(count);
    const sent = state.read('sent-counts');
    // An earlier version may have stored more than a server takes.
    if (sent !== null && sent.counts.length > MOST_SENT)
      for (const one of sent.counts) this.#add(one);
    else if (sent !== null) this.#sent = { ...sent, n: 0, at: 0 };
    this.#isStored = this.#counts.size > 0 || sent !== null;
  }

  /** `waiting`: runs that the server must examine at once. */
  add(counts: readonly ServiceCount[], waiting: readonly string[]): void {
    for (const count of counts) this.#add(count);
    for (const runId of waiting) this.#waiting.add(runId);
    if (waiting.length > 0) this.flush();
    else this.#later();
  }

  /** The server is there again: what it has not confirmed is sent again. */
  connected(): void {
    if (this.#sent !== null) this.#deliver(this.#sent);
    else this.flush();
  }

  counted({ n }: Extract<GatewayCommand, { type: 'counted' }>): void {
    if (this.#sent?.n !== n) return;
    this.#sent = null;
    if (this.#isStored) this.#state.remove('sent-counts');
    this.#isStored = this.#isStored && this.#counts.size > 0;
    if (this.#counts.size >= MOST_SENT) this.flush();
    else if (this.#counts.size > 0 || this.#waiting.size > 0) this.#later();
  }

  /** Before the process ends. */
  store(): void {
    this.#state.write('counts', [...this.#counts.values()]);
    if (this.#sent === null) return;
    const { batch, counts, waiting } = this.#sent;
    this.#state.write('sent-counts', { batch, counts, waiting });
  }

  flush(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#dropOld();
    if (this.#sent !== null) {
      if (this.#now() - this.#sent.at >= AGAIN_MS) this.#deliver(this.#sent);
      this.#later();
      return;
    }
    if (this.#counts.size === 0 && this.#waiting.size === 0) return;
    const keys = [...this.#counts.keys()].slice(0, MOST_SENT);
    const counts = [...this.#counts.values()].slice(0, MOST_SENT);
    const batch = { batch: randomUUID(), counts, waiting: [...this.#waiting] };
    if (!this.#deliver(batch)) return;
    for (const key of keys) this.#counts.delete(key);
    this.#waiting.clear();
    if (!this.#isStored) return;
    // They leave one file for the other, so that they are in one of them at any moment.
    this.#state.write('sent-counts', batch);
    this.#state.flush();
    if (this.#counts.size === 0) this.#state.remove('counts');
    else this.#state.write('counts', [...this.#counts.values()]);
  }

  #deliver(batch: CountBatch): boolean {
    this.#last += 1;
    const n = this.#last;
    const { batch: id, counts, waiting } = batch;
    const sent_at = this.#now();
    const isSent = this.#send({ type: 'counts', n, batch: id, counts, waiting, sent_at });
    if (isSent) {
      this.#sent = { batch: id, counts, waiting, n, at: this.#now() };
      this.#later();
    } else {
      // This process may be killed before the server is back.
      this.store();
      this.#isStored = true;
    }
    return isSent;
  }

  #add(count: ServiceCount): void {
    const key = `${count.run_id} ${count.second}`;
    const requests = (this.#counts.get(key)?.requests ?? 0) + count.requests;
    this.#counts.set(key, { ...count, requests });
    if (this.#counts.size <= MOST_KEPT) return;
    for (const oldest of this.#counts.keys()) {
      this.#counts.delete(oldest);
      return;
    }
  }

  #later(): void {
    const pause = this.#counts.size > MOST_SENT ? SEND_MANY_MS : SEND_MS;
    this.#timer ??= setTimeout(() => this.flush(), pause);
  }

  #dropOld(): void {
    const oldest = Math.floor(this.#now() / 1000) - KEPT_SECONDS;
    for (const [key, { second }] of this.#counts) if (second < oldest) this.#counts.delete(key);
  }
}
