type SetTimer = (run: () => void, ms: number) => () => void;

/** Detects that the other side of a connection sends nothing any more. */
export class Silence {
  readonly #ms: number;
  readonly #setTimer: SetTimer;
  #onSilence: () => void = () => {};
  #cancel: () => void = () => {};

  constructor(ms: number, setTimer: SetTimer) {
    this.#ms = ms;
    this.#setTimer = setTimer;
  }

  /** From now on. The signal fires after `onSilence`, once nothing was received for the time. */
  watch(onSilence: () => void): AbortSignal {
    const over = new AbortController();
    this.#onSilence = () => {
      onSilence();
      over.abort(new Error(`nothing was received for ${this.#ms / 1000} s`));
    };
    this.received();
    return over.signal;
  }

  received(): void {
    this.#cancel();
    this.#cancel = this.#setTimer(this.#onSilence, this.#ms);
  }

  end(): void {
    this.#cancel();
    this.#cancel = () => {};
  }
}
