import { withSums } from '@dstack/contract/usage';
import type { ModelUsage, ModelUse } from '@dstack/store';

const COUNTED = [
  ...(['requests', 'aborted', 'estimated'] as const),
  ...(['promptTokens', 'completionTokens'] as const),
];

/** Adds to stored counts. Uses that are added while a write is in progress are written together. */
export class UsageLog {
  readonly #store: Pick<ModelUsage, 'add'>;
  #waiting: ModelUse[] = [];
  #writing: Promise<void> | null = null;

  constructor(store: Pick<ModelUsage, 'add'>) {
    this.#store = store;
  }

  /** Resolves once the use is durable. */
  async add(use: ModelUse): Promise<void> {
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

function combined(uses: readonly ModelUse[]): ModelUse[] {
  const sums = new Map<string, ModelUse>();
  for (const use of uses) {
    const key = JSON.stringify([use.projectId, use.userId, use.tokenId, use.model, use.day]);
    const known = sums.get(key);
    sums.set(key, known === undefined ? use : withSums<ModelUse, ModelUse>(known, use, COUNTED));
  }
  return [...sums.values()];
}
