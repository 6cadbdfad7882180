/**
 * The machines of an account: one list answers every question about them, for a moment, of all backends that have
 * its credentials.
 */
import { KeptAnswer } from '../kept-answer.ts';
import type { CallPace } from './pace.ts';
import type { Vm } from './vm-cloud.ts';

/** Age of a list that still answers: instances are observed one by one, and calls are few. */
const SHARED_MS = 2500;
const REMEMBERED_MS = 3_600_000;

/** Asks for the list. The caller that needs it brings it, since a backend may be closed while others of its account are not. */
export type ListVms = () => Promise<readonly Vm[]>;

export class AccountVms {
  readonly #shared: KeptAnswer<readonly Vm[]>;
  /** Milliseconds of the pace, by the ids of machines. */
  readonly #listedAt = new Map<string, number>();
  #list: ListVms = async () => [];
  /** The last list that was asked for. */
  #asking: Promise<readonly Vm[]> | null = null;
  /** The list after it; null = no call waits for one. */
  #next: Promise<readonly Vm[]> | null = null;

  constructor(pace: Pick<CallPace, 'now'>) {
    const now = () => pace.now();
    this.#shared = new KeptAnswer(SHARED_MS, now, async () => {
      this.#asking = this.#list();
      const vms = await this.#asking;
      this.#remember(vms, now());
      return vms;
    });
  }

  /** Whether a list has contained it since this process has asked, within an hour. */
  hasListed(id: string): boolean {
    return this.#listedAt.has(id);
  }

  #remember(vms: readonly Vm[], now: number): void {
    for (const { id } of vms) this.#listedAt.set(id, now);
    for (const [id, at] of this.#listedAt) if (now - at > REMEMBERED_MS) this.#listedAt.delete(id);
  }

  /** A list that was asked for a moment ago, and after the last change of ours. */
  async shared(list: ListVms): Promise<readonly Vm[]> {
    this.#list = list;
    return await this.#shared.value();
  }

  /**
   * A list that no call has begun before this one: all that ask while one is under way share the next,
   * since an account may allow one call in a second.
   */
  async fresh(list: ListVms): Promise<readonly Vm[]> {
    if (this.#next) return await this.#next;
    const before = this.#asking;
    this.#next = (async () => {
      await before?.catch(() => {});
      this.#next = null;
      this.#shared.drop();
      return await this.shared(list);
    })();
    return await this.#next;
  }

  /** A machine was created, or is being ended. */
  changed(): void {
    this.#shared.drop();
  }
}
