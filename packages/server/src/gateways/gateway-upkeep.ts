import type { GatewayCondition } from '@dstack/backends';
import { errorMessage } from '@dstack/contract/error-message';
import type { Logger } from '../process/logging.ts';

export interface GatewayUpkeepOptions {
  /** Null: there is nothing to look after. */
  readonly maintain: () => Promise<GatewayCondition | null>;
  /** The link to the program is open: otherwise another server looks after the replica. */
  readonly isOurs: () => boolean;
  /** After each look. */
  readonly onLook: () => Promise<void>;
  readonly log: Logger;
}

const LOOK_MS = 30_000;
/** A new replica becomes reachable within seconds. */
const SOON_MS = 1000;

/** Looks after what a replica has outside its own program. */
export class GatewayUpkeep {
  readonly #options: GatewayUpkeepOptions;
  #condition: GatewayCondition | null = null;
  #timer: NodeJS.Timeout | null = null;
  #hasLooked = false;
  #isLooking = false;
  #again = false;
  #closed = false;

  constructor(options: GatewayUpkeepOptions) {
    this.#options = options;
  }

  /** Null: nothing is known yet, or there is nothing to look after. */
  get condition(): GatewayCondition | null {
    return this.#condition;
  }

  /** Whether the condition is as good as known: before, a replica that serves may be unreachable. */
  get hasLooked(): boolean {
    return this.#hasLooked;
  }

  /** Looks at once; requests during a look cause one more. */
  look(): void {
    if (this.#closed || !this.#options.isOurs()) return;
    this.#again = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#lookAll().finally(() => {
      this.#isLooking = false;
    });
  }

  close(): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  async #lookAll(): Promise<void> {
    const { onLook, log } = this.#options;
    if (this.#timer) clearTimeout(this.#timer);
    while (this.#again && !this.#closed) {
      this.#again = false;
      try {
        await this.#maintain();
        await onLook();
      } catch (error) {
        log.warn({ err: errorMessage(error) }, 'a gateway could not be looked after');
      }
    }
    const wait = (this.#condition?.unreachable ?? null) === null ? LOOK_MS : SOON_MS;
    if (!this.#closed) this.#timer = setTimeout(() => this.look(), wait).unref();
  }

  /** If the backend does not answer, the last condition stands. */
  async #maintain(): Promise<void> {
    try {
      this.#condition = await this.#options.maintain();
    } catch (error) {
      this.#options.log.warn({ err: errorMessage(error) }, 'a gateway could not be looked after');
    }
    this.#hasLooked = true;
  }
}
