import { existsSync, readFileSync } from 'node:fs';
import { writeWhole } from '../host/durable-file.ts';
import type { Logger } from '../host/log.ts';

export interface LedgerImage {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly lastUsed: number;
}

/**
 * Which images of this host we have pulled ourselves, and when they were last used, in a file. What
 * was there before, or came by somebody else's hand, is not in it. A key is a reference, or the id of
 * an image whose reference has moved on.
 */
export class ImageLedger {
  readonly #path: string;
  readonly #log: Logger;
  readonly #images: Map<string, LedgerImage>;

  constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
    this.#images = new Map(Object.entries(read(path, log)));
  }

  /** The longest unused first. */
  get images(): readonly (LedgerImage & { readonly key: string })[] {
    return [...this.#images]
      .map(([key, image]) => ({ key, ...image }))
      .sort((a, b) => a.lastUsed - b.lastUsed);
  }

  has(key: string): boolean {
    return this.#images.has(key);
  }

  /** We have brought an image, under a reference that was not there or was ours already. */
  pulled(reference: string, id: string, now: number): void {
    const before = this.#images.get(reference);
    // It has lost its name by this, but still fills the disk.
    if (before && before.id !== id) this.#images.set(before.id, before);
    this.#images.set(reference, { id, lastUsed: now });
    this.#images.delete(id);
    this.#save();
  }

  /** Says nothing about images that are not ours. */
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
      // No job fails for this on a full disk; what is not in the file is merely never removed.
      this.#log.error('the list of pulled images cannot be written', error);
    }
  }
}

/** Without its ledger an agent removes nothing, which is the safe side. */
function read(path: string, log: Logger): Record<string, LedgerImage> {
  if (!existsSync(path)) return {};
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    log.error('the list of pulled images is unreadable', error, { path });
    return {};
  }
}
