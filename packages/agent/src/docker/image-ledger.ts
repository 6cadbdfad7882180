import { existsSync, readFileSync } from 'node:fs';
import { writeWhole } from '../host/durable-file.ts';
import type { EventLogger } from '../host/log.ts';

export interface LedgerImage {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly lastUsed: number;
}

/**
 * A file with the images that this agent has pulled and the time of their last use. It does not
 * contain images of other programs. A key is a reference, or the id of an image whose reference has
 * moved.
 */
export class ImageLedger {
  readonly #path: string;
  readonly #log: EventLogger;
  readonly #images: Map<string, LedgerImage>;

  constructor(path: string, log: EventLogger) {
    this.#path = path;
    this.#log = log;
    this.#images = new Map(Object.entries(read(path, log)));
  }

  /** The least recently used first. */
  get images(): readonly (LedgerImage & { readonly key: string })[] {
    return [...this.#images]
      .map(([key, image]) => ({ key, ...image }))
      .sort((a, b) => a.lastUsed - b.lastUsed);
  }

  has(key: string): boolean {
    return this.#images.has(key);
  }

  /**
   * Records that the agent has pulled an image, under a reference that was new or in the ledger
   * already.
   */
  pulled(reference: string, id: string, now: number): void {
    const before = this.#images.get(reference);
    // The old image has lost its name, but still uses disk space.
    if (before && before.id !== id) this.#images.set(before.id, before);
    this.#images.set(reference, { id, lastUsed: now });
    this.#images.delete(id);
    this.#save();
  }

  /** Ignores images that are not in the ledger. */
  used(reference: string, now: number): void {
    const image = this.#images.get(reference);
    if (!image) return;
    this.#images.set(reference, { ...image, lastUsed: now });
    this.#save();
  }

  forget(key: string): void {
    if (this.#images.delete(key)) this.#save();
  }

  #save(): void {
    try {
      writeWhole(this.#path, JSON.stringify(Object.fromEntries(this.#images)));
    } catch (error) {
      // A full disk must not fail a job. An image that is missing from the file is never removed.
      this.#log.error('the list of pulled images cannot be written', error);
    }
  }
}

/** Without a ledger the agent removes nothing. */
function read(path: string, log: EventLogger): Record<string, LedgerImage> {
  if (!existsSync(path)) return {};
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    log.error('the list of pulled images is unreadable', error, { path });
    return {};
  }
}
