import { randomBytes } from 'node:crypto';
import type { RecordChange, Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';
import { type Message, MessageRing } from './message-ring.ts';

export interface ChangeHubOptions {
  readonly changes: Store['changes'];
  /** Reads the changed records. */
  readonly load: (changes: readonly RecordChange[]) => Promise<readonly Message[]>;
  readonly log: Logger;
  readonly ring?: MessageRing;
}

export interface ChangeListener {
  /** There are new messages in the ring. */
  readonly onMessages: () => void;
  /** Members of a project, or its imports, have changed: callers may see more or less. */
  readonly onProjects: () => void;
}

/** Records per read, in changes; more wait for the next one. */
const BATCH = 100;

/** Milliseconds between two reads: a record that changes often is read once. */
const PACE_MS = 25;

/** With more waiting changes it is cheaper for clients to read everything again. */
const MOST_WAITING = 20_000;

/** How long messages are kept without streams, for clients that reconnect (ms). */
const KEEP_MS = 60_000;

/**
 * Turns changes of records into messages, once for all streams of this server. Nothing is read or kept
 * while there are no streams.
 */
export class ChangeHub {
  readonly ring: MessageRing;
  readonly #options: ChangeHubOptions;
  readonly #listeners = new Set<ChangeListener>();
  readonly #waiting = new Map<string, RecordChange>();
  #unsubscribe: (() => void) | null = null;
  #timer: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #isReading = false;
  #readAt = 0;

  constructor(options: ChangeHubOptions) {
    this.#options = options;
    this.ring = options.ring ?? new MessageRing(randomBytes(6).toString('hex'));
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Returns the function that removes the listener. */
  listen(listener: ChangeListener): () => void {
    clearTimeout(this.#idle);
    this.#listeners.add(listener);
    this.#unsubscribe ??= this.#options.changes.subscribe(
      (changes) => this.#onChanges(changes),
      () => this.#onMissed(),
    );
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0 || this.#unsubscribe === null) return;
      clearTimeout(this.#idle);
      this.#idle = setTimeout(() => this.close(), KEEP_MS).unref();
    };
  }

  /** Clients that return later have missed something. */
  close(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    clearTimeout(this.#idle);
    this.#waiting.clear();
    this.ring.skip();
  }

  #onChanges(changes: readonly RecordChange[]): void {
    let concernsAccess = false;
    for (const change of changes) {
      const { kind, id, part } = change;
      const key = `${kind}/${id}/${part ?? ''}`;
      this.#waiting.set(key, newer(change, this.#waiting.get(key)));
      concernsAccess ||= part === 'members' || part === 'imports';
    }
    if (concernsAccess) for (const { onProjects } of this.#listeners) onProjects();
    if (this.#waiting.size > MOST_WAITING) this.#onMissed();
    else this.#schedule();
  }

  #onMissed(): void {
    this.#waiting.clear();
    this.ring.skip();
    this.#notify();
  }

  /** At once after a quiet time. */
  #schedule(): void {
    if (this.#isReading || this.#timer !== undefined || this.#waiting.size === 0) return;
    const delay = Math.max(0, this.#readAt + PACE_MS - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#read();
    }, delay).unref();
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    const changes = [...this.#waiting.values()].slice(0, BATCH);
    for (const { kind, id, part } of changes) this.#waiting.delete(`${kind}/${id}/${part ?? ''}`);
    try {
      for (const message of await this.#options.load(changes)) this.ring.push(message);
      this.#notify();
    } catch (error) {
      this.#options.log.warn({ err: error }, 'changed records cannot be read');
      this.#onMissed();
    }
    this.#readAt = performance.now();
    this.#isReading = false;
    this.#schedule();
  }

  #notify(): void {
    for (const { onMessages } of this.#listeners) onMessages();
  }
}

/** A change beside the record keeps the version that was announced before. */
function newer(change: RecordChange, waiting: RecordChange | undefined): RecordChange {
  return { ...change, version: change.version ?? waiting?.version ?? null };
}
