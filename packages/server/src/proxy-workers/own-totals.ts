/** The requests that the server itself has answered while no worker was there. */
import type { CountedService, ProcessFigures } from '@dstack/proxy';

export interface OwnTotalsOptions {
  readonly own: () => readonly CountedService[];
  readonly figures: Pick<ProcessFigures<object>, 'storeOwn'>;
}

/** Counts of that time (ms) are lost if the server is killed. */
const STORE_MS = 1000;

/** Stores them while they change, so that the totals of a service do not fall when the server is killed. */
export class OwnTotals {
  readonly #options: OwnTotalsOptions;
  readonly #timer: NodeJS.Timeout;
  #stored = textOf([]);

  constructor(options: OwnTotalsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#store(), STORE_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#store();
  }

  #store(): void {
    const { own, figures } = this.#options;
    const counted = own();
    const text = textOf(counted);
    if (text === this.#stored) return;
    this.#stored = text;
    figures.storeOwn(counted);
  }
}

const textOf = (counted: readonly CountedService[]) =>
  JSON.stringify(
    counted.map(({ runId, raw, rawMirrored }) => [runId, raw.answered, rawMirrored?.answered]),
  );
