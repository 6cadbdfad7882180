/** Runs tasks one after the other, in the order of the calls. */
export class Serial {
  #tail: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task);
    // The caller gets the error; the next task still runs.
    this.#tail = result.catch(() => undefined);
    return result;
  }
}
