/** Machines whose creation the provider has accepted: lists contain them later. */
import type { CallPace } from './pace.ts';

/** How long one is remembered. */
const REMEMBERED_MS = 600_000;

interface Made {
  readonly id: string;
  /** The key of its order. */
  readonly key: string;
  readonly at: number;
}

export class MadeVms {
  readonly #pace: Pick<CallPace, 'now'>;
  /** By the name of the machine. */
  readonly #made = new Map<string, Made>();

  constructor(pace: Pick<CallPace, 'now'>) {
    this.#pace = pace;
  }

  remember(name: string, made: Omit<Made, 'at'>): void {
    const now = this.#pace.now();
    for (const [key, { at }] of this.#made) if (now - at > REMEMBERED_MS) this.#made.delete(key);
    this.#made.set(name, { ...made, at: now });
  }

  /** Null: none has this name. */
  idOf(name: string): string | null {
    return this.#made.get(name)?.id ?? null;
  }

  /** The id of the first whose order has such a key; null = none has. */
  idWhere(isKey: (key: string) => boolean): string | null {
    return [...this.#made.values()].find(({ key }) => isKey(key))?.id ?? null;
  }

  has(id: string): boolean {
    return this.#find(id) !== undefined;
  }

  /** Whether it was made within the last `ms` milliseconds. */
  isNew(id: string, ms: number): boolean {
    const made = this.#find(id);
    return made !== undefined && this.#pace.now() - made.at < ms;
  }

  #find(id: string): Made | undefined {
    return [...this.#made.values()].find((made) => made.id === id);
  }
}
