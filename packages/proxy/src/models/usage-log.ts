import { withSums } from '@dstack/contract/usage';
import type { MeteredUse, UseStore } from './metered-use.ts';

const COUNTED = [
  ...(['requests', 'aborted', 'estimated'] as const),
  ...(['promptTokens', 'completionTokens'] as const),
];

/** Adds to stored counts. Uses that are added while a write is in progress are written together. */
export class UsageLog {
  readonly #store: UseStore;
  #waiting: MeteredUse[] = [];
  #writing: Promise<void> | null = null;

  constructor(store: UseStore) {
    this.#store = store;
  }

  /** Resolves once the use is durable. */
  async add(use: MeteredUse): Promise<void> {
    this.#waiting.push(use);
    const before = this.#writing;
    if (before !== null) {
      // The error is reported to those whose uses are in that write.
      await before.catch(() => {});
    }
    this.#writing ??= this.#write();
    await this.#writing;
  }

  async #write(): Promise<void> {
    const uses = this.#waiting;
    this.#waiting = [];
    try {
      await this.#store.add(combined(uses));
    } finally {
      this.#writing = null;
    }
  }
}

function combined(uses: readonly MeteredUse[]): MeteredUse[] {
  const sums = new Map<string, MeteredUse>();
  for (const use of uses) {
    const key = JSON.stringify([use.projectId, use.userId, use.tokenId, use.model, use.day]);
    const known = sums.get(key);
    sums.set(
      key,
      known === undefined ? use : withSums<MeteredUse, MeteredUse>(known, use, COUNTED),
    );
  }
  return [...sums.values()];
}
