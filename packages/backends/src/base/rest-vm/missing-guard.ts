/**
 * Doubts lists that lack every machine at once. A list that is empty by mistake and the list of another account
 * look alike, and ending all machines because of one is worse than following lost machines for an hour.
 */
import { AllMissingError } from '../errors.ts';
import type { CallPace } from './pace.ts';
import type { Vm } from './vm-cloud.ts';

/** For how long such lists are not believed. */
const DOUBTED_MS = 3_600_000;
/** The loss of one machine is usual. */
const LEAST_MACHINES = 2;
/**
 * For how long that of one is not believed which was never seen there, as after a restart: it may be the first of
 * several, and all of them are asked about within this time.
 */
const UNPROVEN_MS = 600_000;

export interface MissingGuardOptions {
  /** Name of the provider for people. */
  readonly title: string;
  readonly pace: Pick<CallPace, 'now'>;
  /** Whether it is a machine of dstack that lists will contain until an order ends it. */
  readonly isExpected: (vm: Vm) => boolean;
  /** Whether this process has made it in the account, or seen it there. */
  readonly wasThere: (id: string) => boolean;
}

export class MissingGuard {
  readonly #options: MissingGuardOptions;
  /** Ids of machines that lists have contained, or that a caller follows. */
  #known = new Set<string>();
  /** Ids of machines whose end was ordered, as long as lists contain them. */
  readonly #ended = new Set<string>();
  /** Whether the last list contains a known machine. */
  #isBelieved = false;
  /** Since when lists lack all known machines; null = they do not. */
  #since: number | null = null;

  constructor(options: MissingGuardOptions) {
    this.#options = options;
  }

  listed(vms: readonly Vm[]): void {
    const ids = new Set(vms.map(({ id }) => id));
    for (const id of this.#ended) if (!ids.has(id)) this.#ended.delete(id);
    this.#isBelieved = vms.some(({ id }) => this.#known.has(id));
    if (!this.#isBelieved) return;
    this.#since = null;
    const expected = vms.filter((vm) => this.#options.isExpected(vm) && !this.#ended.has(vm.id));
    this.#known = new Set(expected.map(({ id }) => id));
  }

  /** The last list contains a machine that a caller follows. */
  found(id: string): void {
    this.#known.add(id);
    this.#isBelieved = true;
    this.#since = null;
  }

  /** The last list lacks a machine that a caller follows. Throws `AllMissingError` if that proves nothing. */
  missing(id: string): void {
    if (this.#isBelieved) return;
    this.#known.add(id);
    this.#since ??= this.#options.pace.now();
    this.doubt(id);
  }

  /** Throws `AllMissingError` while it is open whether the account is the one with the machine. */
  doubt(id: string): void {
    const { title, pace, wasThere } = this.#options;
    const isOne = this.#known.size < LEAST_MACHINES;
    const doubtedMs = isOne ? (wasThere(id) ? 0 : UNPROVEN_MS) : DOUBTED_MS;
    if (this.#since === null || pace.now() - this.#since >= doubtedMs) return;
    throw new AllMissingError(
      isOne
        ? `${title} does not list the only known machine. It counts as lost after ten minutes of such answers; if it still runs, check whether the key is one of its account`
        : `${title} lists none of the ${this.#known.size} known machines. They count as lost after an hour of such answers; if they still run, check whether the key is one of their account`,
    );
  }

  /**
   * The provider knows no machine that is to be ended, and the last list lacks it, as all lists `since` then. Throws
   * `AllMissingError` while it may run on in another account.
   */
  unknown(id: string, since: number): void {
    this.doubt(id);
    const { title, pace, wasThere } = this.#options;
    if (this.#isBelieved || wasThere(id)) return;
    if (pace.now() - Math.min(since, this.#since ?? since) >= UNPROVEN_MS) return;
    throw new AllMissingError(
      `${title} knows no machine ${id}, which is to be ended. It counts as ended after ten minutes of such answers; if it still runs, check whether the key is one of its account`,
    );
  }

  /** A machine is being ended by an order of ours. */
  ended(id: string): void {
    this.#ended.add(id);
    this.#known.delete(id);
    if (this.#known.size === 0) this.#since = null;
  }
}
