import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { keepItem, newItemName, Spool, type SpoolOptions } from './spool.ts';

interface Waiting {
  readonly files: Set<string>;
  readonly done: () => void;
}

/** Keeps each item on the disk; resolves with the names of their files once they are durable. */
export async function keepItems(dir: string, items: readonly object[]): Promise<string[]> {
  const kept = items.map((item) => ({ item, name: newItemName() }));
  await Promise.all(kept.map(({ item, name }) => keepItem(dir, item, name)));
  return kept.map(({ name }) => name);
}

/** Delivers what is kept, and lets a request wait until the server has stored its part. */
export class SpoolDelivery<Item extends object> {
  readonly #dir: string;
  readonly #spool: Spool<Item>;
  readonly #waiting = new Set<Waiting>();

  constructor(options: SpoolOptions<Item>) {
    this.#dir = options.dir;
    this.#spool = new Spool(options);
  }

  deliver(): void {
    this.#spool.deliver();
    this.#releaseIfAway();
  }

  get isEmpty(): boolean {
    return this.#spool.isEmpty;
  }

  /** Resolves once the server has stored what is in these files, or cannot do it now. */
  deliverAll(files: readonly string[]): Promise<void> {
    // Others have been delivered meanwhile.
    const left = files.filter((name) => existsSync(join(this.#dir, name)));
    if (left.length === 0) return Promise.resolve();
    return new Promise((done) => {
      this.#waiting.add({ files: new Set(left), done });
      this.deliver();
    });
  }

  /** Resolves once the server has stored all that is kept, or cannot do it now. */
  deliverEverything(): Promise<void> {
    return this.deliverAll(this.#spool.files);
  }

  used(n: number): void {
    const stored = this.#spool.used(n);
    for (const one of this.#waiting) {
      for (const name of stored) one.files.delete(name);
      if (one.files.size === 0) this.#end(one);
    }
    this.#releaseIfAway();
  }

  /** The server has not stored them; they are on the disk. */
  failed(n: number): void {
    this.#spool.failed(n);
    this.disconnected();
  }

  connected(): void {
    this.#spool.connected();
    this.#releaseIfAway();
  }

  disconnected(): void {
    for (const one of this.#waiting) this.#end(one);
  }

  /** Without a batch under way no confirmation will come. */
  #releaseIfAway(): void {
    if (!this.#spool.isSending) this.disconnected();
  }

  #end(one: Waiting): void {
    this.#waiting.delete(one);
    one.done();
  }
}
