/**
 * Start-up scripts of machines. Verda stores them apart, by default at most 100 for each user, and shows them to
 * all users of the account: those that no machine needs any more are removed.
 */
import { BackendError, NoAnswerError, PreparingError, QuotaError } from '../base/errors.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import type { StoredScript, VerdaApi, VerdaInstance } from './api.ts';

export interface StartScriptsOptions {
  readonly title: string;
  readonly api: Pick<VerdaApi, 'addScript' | 'removeScript' | 'timedScripts'>;
  readonly pace: Pick<CallPace, 'now'>;
}

interface Made {
  readonly id: string;
  readonly script: string;
}

/** Names of machines, which the scripts share. */
const NAME = /^dstack-[0-9a-f]{20}$/;
/** An order follows its script at once; a machine that runs has read it. */
const UNUSED_US = 3_600_000_000;
const READ_US = 300_000_000;
const US_PER_MS = 1000;
/** By one look: an order waits for it. */
const MOST_REMOVED = 25;
/** Between two looks at all scripts. */
const TIDY_MS = 600_000;

export class StartScripts {
  readonly #options: StartScriptsOptions;
  /** Those of orders without a machine, by the names of their machines. */
  readonly #made = new Map<string, Made>();
  /** Machines of the last list, by the ids of their scripts. */
  #users: ReadonlyMap<string, VerdaInstance> = new Map();
  #tidiedAt = Number.NEGATIVE_INFINITY;

  constructor(options: StartScriptsOptions) {
    this.#options = options;
  }

  listed(instances: readonly VerdaInstance[]): void {
    const entries = instances.flatMap((one) =>
      one.startup_script_id ? [[one.startup_script_id, one] as const] : [],
    );
    this.#users = new Map(entries);
    // The answer to their order was lost.
    for (const [name, { id }] of this.#made) if (this.#users.has(id)) this.#made.delete(name);
  }

  /** Before the order of the machine with this name. An earlier attempt may have made it. */
  async ensure(name: string, script: string): Promise<void> {
    const { api, pace, title } = this.#options;
    if (this.#made.get(name)?.script === script) return;
    if (pace.now() - this.#tidiedAt >= TIDY_MS) await this.#tidy().catch(ofProvider);
    const add = async () => this.#keep(name, { id: await api.addScript(name, script), script });
    try {
      await add();
    } catch (error) {
      if (!(error instanceof QuotaError)) throw error;
      await this.#tidy();
      await add().catch((again: unknown) => {
        if (!(again instanceof QuotaError)) throw again;
        throw new PreparingError(
          `${again.message} (start-up scripts: remove those that no machine uses at ${title}, or ask for a higher quota)`,
        );
      });
    }
  }

  /** Null: `ensure` has to be called again. */
  idOf(name: string): string | null {
    return this.#made.get(name)?.id ?? null;
  }

  /** Its machine was ordered. */
  used(name: string): void {
    this.#made.delete(name);
  }

  /** There is no machine, and there will be none of this order. */
  async drop(name: string): Promise<void> {
    const made = this.#made.get(name);
    this.#made.delete(name);
    if (made) await this.remove(made.id);
  }

  /** One that stays is found by a later look. */
  async remove(id: string): Promise<void> {
    await this.#options.api.removeScript(id).catch(ofProvider);
  }

  #keep(name: string, made: Made): void {
    if (made.id === '') {
      throw new NoAnswerError(`${this.#options.title}: a start-up script without an id`);
    }
    this.#made.set(name, made);
  }

  /** Those of orders whose answer was lost, too, and of servers that were killed. */
  async #tidy(): Promise<void> {
    const { api, pace } = this.#options;
    this.#tidiedAt = pace.now();
    const { items, time } = await api.timedScripts();
    const spent = items.filter((script) => this.#isSpent(script, time));
    for (const { id } of spent.slice(0, MOST_REMOVED)) await this.remove(id);
  }

  /** No other clock than the provider's counts. `time`: null = it is not known. */
  #isSpent({ id, name, created_at }: StoredScript, time: number | null): boolean {
    if (!NAME.test(name) || time === null) return false;
    const age = time - Date.parse(created_at ?? '') * US_PER_MS;
    const user = this.#users.get(id);
    if (user === undefined) return age > UNUSED_US;
    return user.status === 'running' && !(age <= READ_US);
  }
}

/** No order waits because scripts of others cannot be removed. */
function ofProvider(error: unknown): void {
  if (!(error instanceof BackendError)) throw error;
}
