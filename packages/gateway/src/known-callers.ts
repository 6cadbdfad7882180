import type { StoredState } from './stored-state.ts';
import type { CachedCaller } from './worker/messages.ts';

const MOST = 10_000;

/** Callers whom the server has admitted, also while it is away and after a restart. */
export class KnownCallers {
  readonly #state: StoredState;
  readonly #callers: Map<string, CachedCaller>;

  constructor(state: StoredState) {
    this.#state = state;
    this.#callers = new Map((state.read('callers') ?? []).map((one) => [one.key, one]));
  }

  get all(): CachedCaller[] {
    return [...this.#callers.values()];
  }

  add(caller: CachedCaller): void {
    if (this.#callers.size >= MOST) this.#callers.clear();
    this.#callers.set(caller.key, caller);
    this.#state.write('callers', this.all);
  }

  clear(): void {
    this.#callers.clear();
    this.#state.write('callers', []);
  }
}
