/** Notifies listeners of this process that something has happened, without any data. */
export class ChangeNotifier {
  readonly #listeners = new Set<() => void>();

  /** Listeners must neither throw nor take time. Returns a function that removes the listener. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  notify(): void {
    for (const listener of this.#listeners) listener();
  }
}
