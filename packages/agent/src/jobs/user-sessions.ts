import { monotonicMs } from '../host/clock.ts';

/** Records when users had commands in the job that the server has started for them. */
export class UserSessions {
  #open = 0;
  #last: number | null = null;

  get open(): number {
    return this.#open;
  }

  /** Returns the function that ends the session. */
  begin(): () => void {
    this.#open += 1;
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      this.#open -= 1;
      this.#last = monotonicMs();
    };
  }

  /** Milliseconds by `monotonicMs`; now while one is open; null = there was none. */
  lastActivity(): number | null {
    return this.#open > 0 ? monotonicMs() : this.#last;
  }
}
