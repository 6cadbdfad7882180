import { BackendError, NoCapacityError } from '../base/errors.ts';
import type { GroupOrder, GroupPort, ListedGroup } from '../base/group-port.ts';
import type { GroupHandle } from '../base/instance-port.ts';
import type { SimCalls } from './calls.ts';
import { simId } from './sim-id.ts';
import type { SimGroup, SimMachine, SimTables } from './tables.ts';

export interface SimGroupsOptions {
  readonly tables: SimTables;
  readonly calls: SimCalls;
  /** How many machines the quota still allows. */
  readonly room: () => number;
  readonly endMachine: (id: string) => Promise<'released' | 'releasing'>;
}

/** The placement and compute groups of a simulated provider. */
export class SimGroups implements GroupPort {
  readonly #options: SimGroupsOptions;

  constructor(options: SimGroupsOptions) {
    this.#options = options;
  }

  async create(order: GroupOrder): Promise<GroupHandle> {
    const { tables, calls, room } = this.#options;
    return await calls.answer(() => {
      const { key, name, kind, owner, size } = order;
      const id = simId('group', key);
      if (tables.groups.get(id) === null) {
        if (kind === 'compute' && (size ?? 0) > room()) {
          throw new NoCapacityError('the quota of the account is used up');
        }
        tables.groups.add({ id, key, name, kind, owner, size: size ?? 0 });
      }
      return handleOf({ id });
    });
  }

  /** The group of a machine. */
  require({ id }: GroupHandle): SimGroup {
    const group = this.#options.tables.groups.get(id);
    if (group === null) throw new BackendError(`there is no group ${id}`);
    return group;
  }

  async delete({ id }: GroupHandle): Promise<'deleted' | 'in-use'> {
    const { tables, calls } = this.#options;
    return await calls.answer(async () => {
      const group = tables.groups.get(id);
      if (group !== null && (await this.#isInUse(group))) return 'in-use';
      tables.groups.delete(id);
      return 'deleted';
    });
  }

  /** Ends the machines of a compute group. */
  async #isInUse(group: SimGroup): Promise<boolean> {
    const machines = this.#options.tables.machines.all().filter((one) => isIn(one, group));
    if (group.kind === 'placement') return machines.length > 0;
    let isInUse = false;
    for (const one of machines) {
      if ((await this.#options.endMachine(one.id)) === 'releasing') isInUse = true;
    }
    return isInUse;
  }

  async list({ server }: { readonly server: string }): Promise<readonly ListedGroup[]> {
    const groups = await this.#options.calls.answer(() => this.#options.tables.groups.all());
    return groups
      .filter(({ owner }) => owner.server === server)
      .map(({ id, owner, key }) => ({ handle: handleOf({ id }), owner, key }));
  }
}

/** Machines that the quota counts: a compute group has all of its machines from the start. */
export function machinesOf({ machines, groups }: SimTables): number {
  const compute = groups.all().filter(({ kind }) => kind === 'compute');
  if (compute.length === 0) return machines.size;
  const isSingle = (machine: SimMachine) => !compute.some((group) => isIn(machine, group));
  const singles = machines.all().filter(isSingle).length;
  return compute.reduce((sum, { size }) => sum + size, singles);
}

const handleOf = ({ id }: Pick<SimGroup, 'id'>): GroupHandle => ({ id, data: null });

function isIn({ order }: SimMachine, { id, name, kind }: SimGroup): boolean {
  return order.group?.handle.id === id || (kind === 'placement' && order.placementGroup === name);
}
