/** The machines of an account: one list answers every question about them, for a moment. */
import { KeptAnswer } from '../kept-answer.ts';
import type { CallPace } from './pace.ts';
import type { Vm } from './vm-cloud.ts';

/** Age of a list that still answers: instances are observed one by one, and calls are few. */
const SHARED_MS = 2500;

export class AccountVms {
  readonly #shared: KeptAnswer<readonly Vm[]>;

  constructor(list: () => Promise<readonly Vm[]>, pace: Pick<CallPace, 'now'>) {
    this.#shared = new KeptAnswer(SHARED_MS, () => pace.now(), list);
  }

  /** A list that was asked for a moment ago, and after the last change of ours. */
  async shared(): Promise<readonly Vm[]> {
    return await this.#shared.value();
  }

  /** A list that is asked for now. */
  async fresh(): Promise<readonly Vm[]> {
    this.#shared.drop();
    return await this.#shared.value();
  }

  /** A machine was created, or is being ended. */
  changed(): void {
    this.#shared.drop();
  }
}
