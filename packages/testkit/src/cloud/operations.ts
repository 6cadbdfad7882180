import { type CloudClock, SECOND_US } from './clock.ts';
import { Refusal } from './refusal.ts';

/** Work that a provider has accepted and does not finish at once. */
export interface Operation {
  readonly id: number;
  /** Like `create` or `attach_volume`, in the provider's terms. */
  readonly kind: string;
  /** The id of the object that it changes. */
  readonly target: string;
  readonly region: string;
  /** Times in µs; `endsAt` null = it never ends. */
  readonly startedAt: number;
  readonly endsAt: number | null;
  readonly state: 'running' | 'done' | 'failed';
  readonly problem: string | null;
}

type Begun = Omit<Operation, 'state' | 'id'>;

export class Operations {
  readonly #clock: CloudClock;
  readonly #operations: Begun[] = [];

  constructor(clock: CloudClock) {
    this.#clock = clock;
  }

  /** `seconds` null: it never ends. `problem`: it fails then, instead of succeeding. */
  begin(
    kind: string,
    target: { readonly id: string; readonly region: string },
    seconds: number | null,
    problem: string | null = null,
  ): Operation {
    const startedAt = this.#clock.now;
    const endsAt = seconds === null ? null : startedAt + seconds * SECOND_US;
    const { id, region } = target;
    this.#operations.push({ kind, target: id, region, startedAt, endsAt, problem });
    return this.get(this.#operations.length);
  }

  get(id: number): Operation {
    const begun = this.#operations[id - 1];
    if (begun === undefined) {
      throw new Refusal('not_found', `no operation ${id}`, { what: String(id) });
    }
    const isOver = begun.endsAt !== null && begun.endsAt <= this.#clock.now;
    const ended = begun.problem === null ? 'done' : 'failed';
    return { ...begun, id, state: isOver ? ended : 'running' };
  }

  all(): readonly Operation[] {
    return this.#operations.map((_, index) => this.get(index + 1));
  }
}
