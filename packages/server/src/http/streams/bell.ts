/** Wakes one waiter. Rings before it waits are kept; several count as one. */
export class Bell {
  #rung = false;
  #waiter: (() => void) | null = null;

  ring(): void {
    this.#rung = true;
    this.#waiter?.();
  }

  async rung(): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        this.#waiter = resolve;
      });
    }
    this.#waiter = null;
    this.#rung = false;
  }
}
