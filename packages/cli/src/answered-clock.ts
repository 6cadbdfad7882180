import type { Exchange } from '@dstack/client';

/** Smaller differences change no text that matters, and the `Date` of an answer has full seconds only. */
const MOST_LEAD_MS = 5000;

/**
 * The time of the server, by the header `Date` of its answers: a laptop whose clock is wrong must not look for the output of the last
 * hour in the wrong hour, or call a new run a year old. Until an answer came, and where both clocks agree, it is the
 * time of this computer.
 */
export class AnsweredClock {
  readonly #own: () => number;
  /** ms by which the server is ahead of this computer. */
  #lead = 0;
  #isKnown = false;

  /** @param own the clock of this computer, in ms since the epoch */
  constructor(own: () => number) {
    this.#own = own;
  }

  /** Whether an answer had the time. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** ms since the epoch. */
  readonly now = (): number => this.#own() + this.#lead;

  /** Reads the time from every answer. */
  watching(exchange: Exchange): Exchange {
    return async (request) => {
      const sentAt = this.#own();
      const response = await exchange(request);
      this.#read(response.headers.date, sentAt);
      return response;
    };
  }

  #read(header: string | undefined, sentAt: number): void {
    const date = Date.parse(header ?? '');
    if (Number.isNaN(date)) return;
    this.#isKnown = true;
    const further = clockLead(date, {
      sentAt: sentAt + this.#lead,
      receivedAt: this.#own() + this.#lead,
    });
    if (Math.abs(further) > MOST_LEAD_MS) this.#lead += further;
  }
}

/**
 * By how much the server's clock is ahead at least, in ms; below 0 = behind. The server named a full second, `date`,
 * somewhere between the request and the answer: within that, nothing is known.
 */
export function clockLead(
  date: number,
  { sentAt, receivedAt }: { readonly sentAt: number; readonly receivedAt: number },
): number {
  return Math.max(0, date - receivedAt) - Math.max(0, sentAt - (date + 1000));
}
