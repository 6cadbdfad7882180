import type { GatewayCommand } from '@dstack/contract/agent';
import type { ServiceCount, StoredState } from './stored-state.ts';

/** Older counts are outside every window of the server. */
const KEPT_SECONDS = 3600;
const SEND_MS = 1000;

export type SendCounts = (frame: {
  readonly type: 'counts';
  readonly n: number;
  readonly counts: readonly ServiceCount[];
  readonly waiting: readonly string[];
}) => boolean;

/** Counted requests, until the server has stored them. */
export class CountSpool {
  readonly #state: StoredState;
  readonly #send: SendCounts;
  readonly #counts = new Map<string, ServiceCount>();
  readonly #waiting = new Set<string>();
  #sent: { readonly n: number; readonly counts: readonly ServiceCount[] } | null = null;
  #last = 0;
  /** The disk has counts that were not confirmed. */
  #isStored = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(state: StoredState, send: SendCounts) {
    this.#state = state;
    this.#send = send;
    for (const count of state.read('counts') ?? []) this.#add(count);
    this.#isStored = this.#counts.size > 0;
  }

  /** `waiting`: runs that the server must examine at once. */
  add(counts: readonly ServiceCount[], waiting: readonly string[]): void {
    for (const count of counts) this.#add(count);
    for (const runId of waiting) this.#waiting.add(runId);
    if (waiting.length > 0) this.flush();
    else this.#later();
  }

  /** The server is there again. */
  connected(): void {
    this.#restore();
    this.flush();
  }

  counted({ n }: Extract<GatewayCommand, { type: 'counted' }>): void {
    if (this.#sent?.n !== n) return;
    this.#sent = null;
    if (this.#isStored) this.#state.remove('counts');
    this.#isStored = false;
    if (this.#counts.size > 0) this.#later();
  }

  /** Before the process ends. */
  store(): void {
    this.#restore();
    this.#state.write('counts', [...this.#counts.values()]);
  }

  flush(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#dropOld();
    if (this.#sent !== null || (this.#counts.size === 0 && this.#waiting.size === 0)) return;
    const counts = [...this.#counts.values()];
    this.#last += 1;
    const frame = { type: 'counts', n: this.#last, counts, waiting: [...this.#waiting] } as const;
    if (!this.#send(frame)) {
      // This process may be killed before the server is back.
      this.#state.write('counts', counts);
      this.#isStored = true;
      return;
    }
    this.#sent = { n: this.#last, counts };
    this.#counts.clear();
    this.#waiting.clear();
  }

  #add(count: ServiceCount): void {
    const key = `${count.run_id} ${count.second}`;
    const requests = (this.#counts.get(key)?.requests ?? 0) + count.requests;
    this.#counts.set(key, { ...count, requests });
  }

  /** What was sent and not confirmed is sent again. */
  #restore(): void {
    for (const count of this.#sent?.counts ?? []) this.#add(count);
    this.#sent = null;
  }

  #later(): void {
    this.#timer ??= setTimeout(() => this.flush(), SEND_MS);
  }

  #dropOld(): void {
    const oldest = Math.floor(Date.now() / 1000) - KEPT_SECONDS;
    for (const [key, { second }] of this.#counts) if (second < oldest) this.#counts.delete(key);
  }
}
