import type { GroupHandle, GroupOrder, Groups } from '../base/port.ts';
import type { SimCalls } from './calls.ts';
import { simId } from './sim-id.ts';
import type { SimGroup, SimMachine, SimTables } from './tables.ts';

/** The placement and compute groups of a simulated provider. */
export class SimGroups implements Groups {
  readonly #tables: SimTables;
  readonly #calls: SimCalls;

  constructor(tables: SimTables, calls: SimCalls) {
    this.#tables = tables;
    this.#calls = calls;
  }

  async create({ key, name, owner }: GroupOrder): Promise<GroupHandle> {
    return await this.#calls.answer(() => {
      const id = simId('group', key);
      this.#tables.groups.add({ id, name, owner });
      return { id, data: null };
    });
  }

  async delete({ id }: GroupHandle): Promise<'deleted' | 'in-use'> {
    return await this.#calls.answer(() => {
      const group = this.#tables.groups.get(id);
      if (group && this.#tables.machines.all().some((one) => isIn(one, group))) return 'in-use';
      this.#tables.groups.delete(id);
      return 'deleted';
    });
  }

  async list({ server }: { readonly server: string }): Promise<readonly GroupHandle[]> {
    const groups = await this.#calls.answer(() => this.#tables.groups.all());
    return groups
      .filter(({ owner }) => owner.server === server)
      .map(({ id }) => ({ id, data: null }));
  }
}

function isIn({ order }: SimMachine, { id, name }: SimGroup): boolean {
  return order.group?.handle.id === id || order.placementGroup === name;
}
