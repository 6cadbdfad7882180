/**
 * Orders of a team whose machines have no mark yet. Hot Aisle names its machines itself and takes a description only
 * afterwards. So one order at a time is under way in a team; before it is sent, it is kept with the names of the
 * machines that exist, so that its machine is found also after a crash: the only new one of its size without a
 * description.
 */
import { BusyError } from '../base/errors.ts';
import type { KeptFacts, SharedFacts } from '../base/kind.ts';
import type { HotAisleVm, VmSpecs } from './api.ts';

export interface UnnamedOrder {
  /** The name of the order, as in `VmOrder`. */
  readonly name: string;
  /** The description of its machine. */
  readonly description: string;
  /** The machines that existed before the order was sent; null = it has not been sent. */
  readonly before: readonly string[] | null;
  /** Its machine; null = its answer is missing. */
  readonly made: string | null;
  readonly specs: Pick<VmSpecs, 'cpu_cores' | 'ram_capacity' | 'gpus'>;
}

/** `at`: when it was begun, in ms since the epoch. */
interface Kept {
  readonly at: number;
  readonly order: UnnamedOrder | null;
}

/** How long a provider that has not answered may still carry an order out. */
const OPEN_MS = 150_000;
/** After this time no machine of it can appear in a list either. */
const LOOKED_FOR_MS = 2 * OPEN_MS;
const US_PER_MS = 1000;

export interface UnnamedOrdersOptions {
  readonly facts: SharedFacts & Pick<KeptFacts, 'get'>;
  /** Another one for each account and team. */
  readonly factKey: string;
}

export class UnnamedOrders {
  readonly #options: UnnamedOrdersOptions;

  constructor(options: UnnamedOrdersOptions) {
    this.#options = options;
  }

  /** The order that is under way; null = none is. */
  async open(): Promise<UnnamedOrder | null> {
    const { facts, factKey } = this.#options;
    return keptIn(await facts.get(factKey))?.order ?? null;
  }

  /** Throws `BusyError` while that of another machine is under way. */
  async begin(order: Omit<UnnamedOrder, 'before' | 'made'>): Promise<void> {
    const { facts, factKey } = this.#options;
    const isBegun = await facts.amend(factKey, (value, now) => {
      const kept = keptIn(value);
      const age = now / US_PER_MS - (kept?.at ?? 0);
      const isOther = kept?.order != null && kept.order.name !== order.name;
      // A time ahead of the clock was written by a wrong one.
      if (kept && isOther && age >= 0 && age < OPEN_MS) {
        return { value: JSON.stringify(kept), result: false };
      }
      const begun: Kept = {
        at: now / US_PER_MS,
        order: { ...order, before: null, made: null },
      };
      return { value: JSON.stringify(begun), result: true };
    });
    if (!isBegun) throw new BusyError('Hot Aisle: another machine of the team is being ordered');
  }

  /** Another order may have taken its place since, after a long time. */
  async note(name: string, known: Partial<Pick<UnnamedOrder, 'before' | 'made'>>): Promise<void> {
    await this.#change(name, (order) => ({ ...order, ...known }));
  }

  /** It has been refused, or its machine has its description. */
  async close(name: string): Promise<void> {
    await this.#change(name, () => null);
  }

  /**
   * A list has no machine that may be of this order: it is given up once none can appear any more, or one that a person
   * makes later would be taken for it.
   */
  async notListed(name: string): Promise<void> {
    await this.#change(name, (order, age) => (age < LOOKED_FOR_MS ? order : null));
  }

  /** `age`: in ms; a time ahead of the clock was written by a wrong one. */
  async #change(
    name: string,
    change: (order: UnnamedOrder, age: number) => UnnamedOrder | null,
  ): Promise<void> {
    const { facts, factKey } = this.#options;
    await facts.amend(factKey, (value, now) => {
      const at = now / US_PER_MS;
      const kept = keptIn(value) ?? { at, order: null };
      const order =
        kept.order?.name === name ? change(kept.order, Math.abs(at - kept.at)) : kept.order;
      return { value: JSON.stringify({ ...kept, order }), result: null };
    });
  }
}

/** The machines that may be that of the order: if there are several, all others are of persons. */
export function vmsOfOrder(
  { before, made, specs }: UnnamedOrder,
  vms: readonly HotAisleVm[],
): readonly HotAisleVm[] {
  if (made !== null) return vms.filter(({ name }) => name === made);
  if (before === null) return [];
  const known = new Set(before);
  return vms.filter((vm) => !known.has(vm.name) && !vm.description?.trim() && isOfSize(vm, specs));
}

const isOfSize = (vm: VmSpecs, specs: UnnamedOrder['specs']): boolean =>
  vm.cpu_cores === specs.cpu_cores &&
  vm.ram_capacity === specs.ram_capacity &&
  gpusOf(vm) === gpusOf(specs);

const gpusOf = ({ gpus = [] }: Pick<VmSpecs, 'gpus'>): string =>
  gpus.map(({ model, count }) => `${count} ${model}`).join();

function keptIn(value: string | null): Kept | null {
  return value === null ? null : (JSON.parse(value) as Kept);
}
