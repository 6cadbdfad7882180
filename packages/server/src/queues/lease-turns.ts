import type { LeasedKind, Peers } from '@dstack/store';

export interface LeaseTurnsOptions {
  readonly peers: Peers;
  /** Another server has released a lease that this one waits for. */
  readonly onFree: (kind: LeasedKind, key: string) => void;
}

const WANTED = 'lease-wanted';
const FREE = 'lease-free';
/** How every message begins; other parts of the server send texts of their own. */
const PREFIX = '{"type":"lease-';

interface Message {
  readonly type: string;
  readonly kind: LeasedKind;
  readonly key: string;
}

/** A release may have crossed the question for it: the first look after that comes soon (ms). */
const SOON_MS = 100;

/**
 * Messages between servers about leases. A server that finds a lease held reports that it wants it, and
 * the holder reports when it is free. Both may be lost: the lease's expiry ends every wait.
 */
export class LeaseTurns {
  readonly #options: LeaseTurnsOptions;
  readonly #held = new Set<string>();
  /** Leases of this server that another one waits for. */
  readonly #wanted = new Set<string>();
  /** Leases that this server waits for. */
  readonly #waiting = new Set<string>();
  readonly #unsubscribe: () => void;

  constructor(options: LeaseTurnsOptions) {
    this.#options = options;
    this.#unsubscribe = options.peers.subscribe((text) => this.#onMessage(text));
  }

  close(): void {
    this.#unsubscribe();
  }

  /** Asks the holder to report when it is free. Returns the milliseconds until the next look. */
  wait(kind: LeasedKind, key: string, leftMs: number): number {
    const name = nameOf(kind, key);
    this.#send(WANTED, kind, key);
    if (this.#waiting.has(name)) return leftMs;
    this.#waiting.add(name);
    return Math.min(leftMs, SOON_MS);
  }

  taken(kind: LeasedKind, key: string): void {
    const name = nameOf(kind, key);
    this.#waiting.delete(name);
    this.#held.add(name);
  }

  released(kind: LeasedKind, key: string): void {
    const name = nameOf(kind, key);
    this.#held.delete(name);
    if (this.#wanted.delete(name)) this.#send(FREE, kind, key);
  }

  #send(type: typeof WANTED | typeof FREE, kind: LeasedKind, key: string): void {
    this.#options.peers.send([JSON.stringify({ type, kind, key })]);
  }

  #onMessage(text: string): void {
    if (!text.startsWith(PREFIX)) return;
    const { type, kind, key } = JSON.parse(text) as Message;
    const name = nameOf(kind, key);
    if (type === WANTED && this.#held.has(name)) this.#wanted.add(name);
    if (type === FREE && this.#waiting.delete(name)) this.#options.onFree(kind, key);
  }
}

const nameOf = (kind: LeasedKind, key: string): string => `${kind} ${key}`;
