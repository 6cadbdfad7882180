/**
 * Tags of machines whose provider keeps none: the database has them from before the order on, by the name of the
 * machine. A machine that was not ordered here has none, whatever its name is.
 */
import type { KeptFacts, SharedFacts } from '../kind.ts';

export interface VmOwnersOptions {
  readonly facts: SharedFacts & Pick<KeptFacts, 'get'>;
  /** Facts have the keys `<factKey>:<name>`. */
  readonly factKey: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export type NamedVm = { readonly id: string; readonly name: string };

type Tags = Readonly<Record<string, string>>;

/** `at`: when it was written, in ms since the epoch. */
interface Kept {
  readonly at: number;
  readonly tags: Tags;
  /** Ids of machines that had the name before it was ordered. */
  readonly others: readonly string[];
}

/** Facts that are used are written again once their time is so far from the present one, so that they are not deleted. */
const RENEWED_MS = 86_400_000;
const US_PER_MS = 1000;

export class VmOwners {
  readonly #options: VmOwnersOptions;
  /** By the ids of listed machines; null = it has none, and gets none. */
  #known: ReadonlyMap<string, Kept | null> = new Map();

  constructor(options: VmOwnersOptions) {
    this.#options = options;
  }

  /** Before the machine is ordered. Those of an earlier attempt stay. */
  async keep(name: string, tags: Tags, others: readonly string[]): Promise<void> {
    await this.#options.facts.amend(this.#keyOf(name), (value, now) => ({
      value: value ?? JSON.stringify({ at: now / US_PER_MS, tags, others } satisfies Kept),
      result: null,
    }));
  }

  /** By the ids of the machines; those of others are left out. All listed machines with names of ours are given. */
  async of(vms: readonly NamedVm[]): Promise<ReadonlyMap<string, Tags>> {
    const known = new Map(
      await Promise.all(vms.map(async (vm) => [vm.id, await this.#keptOf(vm)] as const)),
    );
    this.#known = known;
    return new Map(
      [...known].flatMap(([id, kept]) =>
        kept === null || kept.others.includes(id) ? [] : [[id, kept.tags] as const],
      ),
    );
  }

  async #keptOf({ id, name }: NamedVm): Promise<Kept | null> {
    const { facts, now } = this.#options;
    const key = this.#keyOf(name);
    const known = this.#known.get(id);
    const kept = known === undefined ? keptIn(await facts.get(key)) : known;
    if (kept === null || Math.abs(now() - kept.at) < RENEWED_MS) return kept;
    return await facts.amend(key, (value, time) => {
      const renewed = { ...(keptIn(value) ?? kept), at: time / US_PER_MS };
      return { value: JSON.stringify(renewed), result: renewed };
    });
  }

  #keyOf(name: string): string {
    return `${this.#options.factKey}:${name}`;
  }
}

function keptIn(value: string | null): Kept | null {
  return value === null ? null : (JSON.parse(value) as Kept);
}
