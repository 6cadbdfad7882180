import type { RecordChange } from '../changes/types.ts';
import type { Bus } from './bus.ts';

/** Other servers are notified once a second per record at most, in milliseconds. */
const PACE_MS = 1000;

/** Announces progress to other servers, which would otherwise cost a statement for each report. */
export class PacedProgress {
  readonly #bus: Bus;
  readonly #waiting = new Map<string, RecordChange>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ bus }: { readonly bus: Bus }) {
    this.#bus = bus;
  }

  announce(change: RecordChange): void {
    this.#waiting.set(`${change.kind}/${change.id}`, change);
    this.#timer ??= setTimeout(() => this.#flush(), PACE_MS).unref();
  }

  #flush(): void {
    this.#timer = undefined;
    const changes = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#bus.announceProgress(changes);
  }
}
