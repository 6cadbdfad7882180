/**
 * The machines of an account: one list answers every question about them, for a moment, of all backends that have
 * its credentials. At most one list is under way, since a large account has many pages, and few calls.
 */
import type { CallPace } from './pace.ts';
import type { Vm } from './vm-cloud.ts';

/** Age of a list that still answers: instances are observed one by one, and calls are few. */
const SHARED_MS = 2500;
const REMEMBERED_MS = 3_600_000;

/** Asks for the list. The caller that needs it brings it, since a backend may be closed while others of its account are not. */
export type ListVms = () => Promise<readonly Vm[]>;

interface Asked {
  readonly vms: Promise<readonly Vm[]>;
  /** Milliseconds of the pace. */
  readonly at: number;
  isUnderWay: boolean;
  /** It has failed, or something has changed since it was asked for. */
  isOutdated: boolean;
}

export class AccountVms {
  readonly #pace: Pick<CallPace, 'now'>;
  /** Milliseconds of the pace, by the ids of machines. */
  readonly #listedAt = new Map<string, number>();
  /** The last list that was asked for. */
  #last: Asked | null = null;
  /** The list after it; null = no call waits for one. */
  #next: Promise<readonly Vm[]> | null = null;

  constructor(pace: Pick<CallPace, 'now'>) {
    this.#pace = pace;
  }

  /** Whether a list has contained it since this process has asked, within an hour. */
  hasListed(id: string): boolean {
    return this.#listedAt.has(id);
  }

  /** A list that is under way or was asked for a moment ago, and in both cases after the last change of ours. */
  async shared(list: ListVms): Promise<readonly Vm[]> {
    const last = this.#last;
    const isUsable = last !== null && !last.isOutdated;
    const isYoung = last !== null && this.#pace.now() - last.at <= SHARED_MS;
    if (isUsable && (last.isUnderWay || isYoung)) return await last.vms;
    return await this.fresh(list);
  }

  /**
   * A list that no call has begun before this one: all that ask while one is under way share the next,
   * since an account may allow one call in a second.
   */
  async fresh(list: ListVms): Promise<readonly Vm[]> {
    this.#next ??= this.#afterLast(list);
    return await this.#next;
  }

  /** A machine was created, or is being ended. */
  changed(): void {
    if (this.#last) this.#last.isOutdated = true;
  }

  async #afterLast(list: ListVms): Promise<readonly Vm[]> {
    await this.#last?.vms.catch(() => {});
    this.#next = null;
    const asked: Asked = {
      ...{ vms: list(), at: this.#pace.now() },
      ...{ isUnderWay: true, isOutdated: false },
    };
    this.#last = asked;
    try {
      const vms = await asked.vms;
      this.#remember(vms, this.#pace.now());
      return vms;
    } catch (error) {
      asked.isOutdated = true;
      throw error;
    } finally {
      asked.isUnderWay = false;
    }
  }

  #remember(vms: readonly Vm[], now: number): void {
    for (const { id } of vms) this.#listedAt.set(id, now);
    for (const [id, at] of this.#listedAt) if (now - at > REMEMBERED_MS) this.#listedAt.delete(id);
  }
}
