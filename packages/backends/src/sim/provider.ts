import type { SimFaults } from '@dstack/contract';
import type { InstanceHandle, Offer } from '@dstack/core';
import { NoCapacityError } from '../base/errors.ts';
import type { InstanceAccess, InstanceOrder, ListedInstance } from '../base/instance-port.ts';
import type { OwnerTags } from '../base/owner-tags.ts';
import type { Claims } from '../base/port.ts';
import { SimCalls, type SimClock, type SimRandom } from './calls.ts';
import { simClaims } from './claims.ts';
import { NAMED_DISKS, type SimDisks } from './disks.ts';
import { machinesOf, SimGroups } from './groups.ts';
import { simId } from './sim-id.ts';
import type { SimMachine, SimPurpose, SimTables } from './tables.ts';
import { SimVolumes } from './volumes.ts';

/** Gives the machines of a simulated provider their agents. */
export interface SimAgents {
  /**
   * Called when a machine is ready, and again after a restart of the server: the agent may be
   * alive.
   */
  start(machine: SimMachine): Promise<SimAddress>;
  /** Ends the agent and all jobs of the machine. Called again after a crash. */
  stop(machine: SimMachine): Promise<void>;
}

export interface SimAddress {
  readonly hostname: string;
  readonly internalIp: string | null;
  readonly access: InstanceAccess;
}

export interface SimProviderOptions {
  readonly clock: SimClock;
  readonly random: SimRandom;
  /** Read at each use, so that they may change. */
  readonly faults: () => SimFaults;
  readonly agents: SimAgents;
  readonly tables: SimTables;
  /** Left out: devices exist by name only. */
  readonly disks?: SimDisks;
}

const SECOND = 1_000_000;

/** The account at a simulated provider: all existing resources, including those of other owners. */
export class SimProvider {
  readonly tables: SimTables;
  readonly calls: SimCalls;
  readonly volumes: SimVolumes;
  readonly groups: SimGroups;
  readonly claims: Claims;
  readonly #options: SimProviderOptions;
  /** Machines whose agents this process has started. */
  readonly #addresses = new Map<string, Promise<SimAddress>>();

  constructor(options: SimProviderOptions) {
    this.#options = options;
    const { tables, clock } = options;
    this.tables = tables;
    this.calls = new SimCalls(options);
    const { disks = NAMED_DISKS } = options;
    this.volumes = new SimVolumes({ ...options, calls: this.calls, disks });
    this.groups = new SimGroups({
      ...{ tables, calls: this.calls, room: () => this.#room },
      endMachine: (id) => this.#end(id),
    });
    this.claims = simClaims(this.calls, clock);
  }

  get isFull(): boolean {
    return this.#room <= 0;
  }

  get #room(): number {
    const { quota } = this.#options.faults();
    // To count the machines, a provider of file tables lists a folder.
    return Number.isFinite(quota) ? quota - machinesOf(this.tables) : quota;
  }

  async create(
    order: InstanceOrder,
    offer: Offer,
    purpose: SimPurpose = 'instance',
  ): Promise<SimMachine> {
    return await this.calls.answer(() => {
      const id = simId('sim', order.key);
      return this.tables.machines.get(id) ?? this.#make(id, { purpose, order, offer });
    });
  }

  /** Null: missing. */
  async describe({ id }: InstanceHandle): Promise<SimMachine | null> {
    const machine = await this.calls.answer(() => this.tables.machines.get(id));
    if (machine === null) return null;
    const visibleAt = machine.createdAt + this.#options.faults().eventualSeconds * SECOND;
    return this.#options.clock.now < visibleAt ? null : machine;
  }

  /** Why the machine is reclaimed; null = it is not. */
  interruptionOf({ id }: Pick<SimMachine, 'id'>): string | null {
    return this.tables.interruptions.get(id)?.text ?? null;
  }

  /** The address of a machine that is ready; null before that. */
  async address(machine: SimMachine): Promise<SimAddress | null> {
    const { clock, faults } = this.#options;
    if (!isReady(machine, clock.now) || faults().hold === 'boot') return null;
    const known = this.#addresses.get(machine.id);
    if (known) return await known;
    const started = this.#options.agents.start(machine);
    this.#addresses.set(machine.id, started);
    // The next call starts it again.
    started.catch(() => this.#addresses.delete(machine.id));
    return await started;
  }

  /** Starts the agents of machines that an earlier process has ordered. */
  async resume(): Promise<void> {
    const machines = this.tables.machines.all();
    const healthy = machines.filter((one) => !one.failure && this.interruptionOf(one) === null);
    await Promise.all(healthy.map((machine) => this.address(machine)));
  }

  async release({ id }: InstanceHandle): Promise<'released' | 'releasing'> {
    return await this.calls.answer(() => this.#end(id));
  }

  async #end(id: string): Promise<'released' | 'releasing'> {
    if (this.tables.machines.get(id) === null) return 'released';
    const isFirst = this.tables.releases.add({ id });
    const { random, faults } = this.#options;
    if (isFirst && random.chance(faults().slowRelease)) return 'releasing';
    await this.vanish({ id });
    return 'released';
  }

  async list(
    { server }: Pick<OwnerTags, 'server'>,
    wanted: SimPurpose = 'instance',
  ): Promise<readonly ListedInstance[]> {
    return await this.calls.answer(() =>
      this.tables.machines
        .all()
        .filter(({ order, purpose }) => order.owner.server === server && purpose === wanted)
        .map(({ id, order }) => ({
          handle: { id, data: null },
          owner: order.owner,
          key: order.key,
        })),
    );
  }

  /** Calls `onChange` with the id of a machine when there is a new observation of it. */
  watch(onChange: (id: string) => void): () => void {
    const { machines, interruptions } = this.tables;
    let isOver = false;
    const report = (id: string) => {
      if (!isOver) onChange(id);
    };
    const followBoot = (id: string) => {
      const readyAt = machines.get(id)?.readyAt ?? null;
      const { clock } = this.#options;
      if (readyAt === null || readyAt <= clock.now) return;
      void clock.delay(readyAt - clock.now).then(() => report(id));
    };
    const ends = [
      interruptions.watch(report),
      machines.watch((id) => {
        report(id);
        followBoot(id);
      }),
    ];
    for (const { id } of machines.all()) followBoot(id);
    return () => {
      isOver = true;
      for (const end of ends) end();
    };
  }

  /** Reclaims a machine, as providers do with spot instances. */
  interrupt({ id }: Pick<SimMachine, 'id'>, text: string): void {
    if (this.tables.machines.get(id)) this.tables.interruptions.add({ id, text });
  }

  /** Deletes a machine as a person would at the provider's console. */
  async vanish({ id }: Pick<SimMachine, 'id'>): Promise<void> {
    const machine = this.tables.machines.get(id);
    if (machine === null) return;
    await this.#addresses.get(id)?.catch(() => {});
    await this.#options.agents.stop(machine);
    const { interruptions, releases, machines } = this.tables;
    await this.volumes.detachAll(id);
    for (const table of [interruptions, releases, machines]) table.delete(id);
    this.#addresses.delete(id);
  }

  #make(id: string, ordered: Pick<SimMachine, 'purpose' | 'order' | 'offer'>): SimMachine {
    const { order } = ordered;
    const { random, clock, faults: now } = this.#options;
    const faults = now();
    const hasPlace = order.group !== null && this.groups.require(order.group.handle);
    if (!hasPlace && this.isFull) throw new NoCapacityError('the quota of the account is used up');
    if (!hasPlace && random.chance(faults.noCapacity)) {
      throw new NoCapacityError('no machine of this type is left');
    }
    const bootUs = this.calls.bootUs();
    const machine: SimMachine = {
      ...{ id, ...ordered, createdAt: clock.now },
      readyAt: random.chance(faults.neverReady) ? null : clock.now + bootUs,
      failure: random.chance(faults.failsToBoot) ? 'the provider could not start it' : null,
    };
    // Another process may have carried out the same order.
    return this.tables.machines.add(machine) ? machine : (this.tables.machines.get(id) ?? machine);
  }
}

function isReady({ readyAt, failure }: SimMachine, now: number): boolean {
  return readyAt !== null && failure === null && readyAt <= now;
}
