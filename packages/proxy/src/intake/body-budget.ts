/**
 * Limits the memory that request bodies use. The first 64 KiB of each body are counted separately,
 * so that large bodies never block small requests; the rest comes from a part of which one caller
 * gets no more than half.
 */
const SMALL_BODY = 64 * 1024;

/** Share of the memory for the first 64 KiB of bodies. */
const SMALL_SHARE = 1 / 4;

export class BodyBudget {
  readonly #small: Pool;
  readonly #large: Pool;
  readonly #perCaller: number;
  readonly #callers = new Map<string, number>();

  constructor(total: number) {
    const small = Math.floor(total * SMALL_SHARE);
    this.#small = new Pool(small);
    this.#large = new Pool(total - small);
    this.#perCaller = Math.floor((total - small) / 2);
  }

  /** Largest body that fits while no other request uses memory, in bytes. */
  get largestBody(): number {
    return SMALL_BODY + this.#perCaller;
  }

  /** Bytes in use. */
  get used(): number {
    return this.#small.used + this.#large.used;
  }

  /** `caller`: whose share is used; null = an unauthenticated caller, who gets the small part only. */
  open(caller: string | null): BodyMemory {
    return new BodyMemory({
      takeSmall: (bytes) => this.#small.take(bytes),
      takeLarge: (bytes) => caller !== null && this.#takeLarge(caller, bytes),
      give: (small, large) => {
        this.#small.give(small);
        this.#large.give(large);
        if (caller !== null) this.#note(caller, -large);
      },
    });
  }

  #takeLarge(caller: string, bytes: number): boolean {
    const has = this.#callers.get(caller) ?? 0;
    if (has + bytes > this.#perCaller || !this.#large.take(bytes)) return false;
    this.#note(caller, bytes);
    return true;
  }

  #note(caller: string, bytes: number): void {
    const has = (this.#callers.get(caller) ?? 0) + bytes;
    if (has > 0) this.#callers.set(caller, has);
    else this.#callers.delete(caller);
  }
}

class Pool {
  readonly #size: number;
  used = 0;

  constructor(size: number) {
    this.#size = size;
  }

  take(bytes: number): boolean {
    if (this.used + bytes > this.#size) return false;
    this.used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.used -= bytes;
  }
}

interface Source {
  takeSmall(bytes: number): boolean;
  takeLarge(bytes: number): boolean;
  give(small: number, large: number): void;
}

/** Memory of one body. The caller must release it once, however the request ends. */
export class BodyMemory {
  readonly #source: Source;
  #small = 0;
  #large = 0;

  constructor(source: Source) {
    this.#source = source;
  }

  get size(): number {
    return this.#small + this.#large;
  }

  /** False if there is not enough memory; nothing is taken then. */
  take(bytes: number): boolean {
    const small = Math.min(bytes, SMALL_BODY - this.#small);
    // Once a body has used the large part, it continues there.
    if (small > 0 && this.#large === 0 && this.#source.takeSmall(small)) {
      this.#small += small;
      if (small === bytes || this.#takeLarge(bytes - small)) return true;
      this.#small -= small;
      this.#source.give(small, 0);
      return false;
    }
    return this.#takeLarge(bytes);
  }

  release(): void {
    this.#source.give(this.#small, this.#large);
    this.#small = 0;
    this.#large = 0;
  }

  #takeLarge(bytes: number): boolean {
    if (!this.#source.takeLarge(bytes)) return false;
    this.#large += bytes;
    return true;
  }
}
