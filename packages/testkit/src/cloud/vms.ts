import { AddressPool, privateAddress } from './addresses.ts';
import { Capacity } from './capacity.ts';
import { type CloudClock, SECOND_US } from './clock.ts';
import type { CloudFaults } from './faults.ts';
import type { VmHosts } from './hosts.ts';
import { Refusal } from './refusal.ts';
import type { CloudRandom, Vm, VmMetadata, VmOrder, VmState } from './vm.ts';

export interface VmsOptions {
  readonly clock: CloudClock;
  readonly random: CloudRandom;
  readonly faults: () => CloudFaults;
  readonly newId: (sequence: number) => string;
  readonly loginUser: string;
  /** Null: machines are records only, and nothing answers at their addresses. */
  readonly hosts: VmHosts | null;
  /** Answers machines at 169.254.169.254; null = nothing answers there. */
  readonly metadata: VmMetadata | null;
  /** Called when a machine has ended. */
  readonly onEnded: (id: string) => void;
}

interface Entry {
  readonly id: string;
  order: VmOrder;
  readonly createdAt: number;
  /** Null: never. */
  readonly readyAt: number | null;
  readonly privateAddress: string;
  address: string | null;
  /** Its host still boots. */
  isBooting: boolean;
  failure: string | null;
  interruption: string | null;
  reclaimedAt: number | null;
  /** The first request to end it had no effect. */
  wasSlow: boolean;
  endsAt: number | null;
  /** The end of its host, which has begun. */
  end: Promise<void> | null;
}

/** The machines of an account, of all owners. */
export class Vms {
  readonly capacity = new Capacity();
  readonly #options: VmsOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #addresses = new AddressPool();
  readonly #history: string[] = [];
  #sequence = 0;

  constructor(options: VmsOptions) {
    this.#options = options;
  }

  /** Machines that were created (`+<id>`) and have ended (`-<id>`), in order. */
  get history(): readonly string[] {
    return this.#history;
  }

  /** Throws a `Refusal` if there is no capacity or the quota is used up. */
  create(order: VmOrder): Vm {
    this.#settle();
    const { clock, random, faults, newId, hosts } = this.#options;
    const { quota, noCapacity, bootSeconds, neverReady, failsToBoot, reuseAddress } = faults();
    if (this.#entries.size >= quota) {
      throw new Refusal('quota', `the account may have ${quota} machines`, { what: String(quota) });
    }
    const what = `${order.type.name} in ${order.region}`;
    if (random.chance(noCapacity)) throw new Refusal('no_capacity', `no ${what} is left`, { what });
    this.capacity.take(order.type, order.region);
    const [least, most] = bootSeconds;
    const bootUs = random.whole(Math.round(least * SECOND_US), Math.round(most * SECOND_US));
    const entry: Entry = {
      id: newId(++this.#sequence),
      order,
      createdAt: clock.now,
      readyAt: random.chance(neverReady) ? null : clock.now + bootUs,
      privateAddress: privateAddress(this.#sequence),
      address: order.isPublic && hosts === null ? this.#addresses.take(reuseAddress) : null,
      isBooting: hosts !== null,
      failure: random.chance(failsToBoot) ? 'the provider could not start it' : null,
      ...{ interruption: null, reclaimedAt: null, wasSlow: false, endsAt: null, end: null },
    };
    this.#entries.set(entry.id, entry);
    this.#history.push(`+${entry.id}`);
    const boots = entry.failure === null && entry.readyAt !== null;
    if (hosts && boots) void this.#boot(entry, hosts);
    return this.#view(entry);
  }

  /** Returns all machines of the provider, whether or not its answers contain them yet. */
  all(): readonly Vm[] {
    this.#settle();
    return [...this.#entries.values()].map((entry) => this.#view(entry));
  }

  get(id: string): Vm | null {
    this.#settle();
    const entry = this.#entries.get(id);
    return entry ? this.#view(entry) : null;
  }

  /** Those that answers contain: new ones appear late in an eventually consistent API. */
  visible(): readonly Vm[] {
    const { clock, faults } = this.#options;
    const since = clock.now - faults().eventualSeconds * SECOND_US;
    return this.all().filter(({ createdAt }) => createdAt <= since);
  }

  /** Throws a `Refusal` if answers do not contain it. */
  require(id: string): Vm {
    const vm = this.visible().find((one) => one.id === id);
    if (vm === undefined) throw new Refusal('not_found', `no machine ${id}`, { what: id });
    return vm;
  }

  /** Begins to end it. */
  end(id: string): Vm {
    const vm = this.require(id);
    const entry = this.#entries.get(id);
    if (entry === undefined) return vm;
    const { clock, random, faults } = this.#options;
    const { deleteNeedsReady, slowRelease, deleteSeconds } = faults();
    if (deleteNeedsReady && vm.state === 'pending') {
      throw new Refusal('not_now', `machine ${id} is still created`, { what: id });
    }
    if (entry.endsAt !== null) return vm;
    if (!entry.wasSlow && random.chance(slowRelease)) {
      entry.wasSlow = true;
      return vm;
    }
    entry.endsAt = clock.now + deleteSeconds * SECOND_US;
    const ending = this.#view(entry);
    this.#settle();
    return ending;
  }

  /**
   * The provider reclaims it after a notice, which the machine finds in its metadata: its host ends, its record
   * stays until it is ended. Resolves when the host has ended.
   */
  async interrupt(id: string, text: string, noticeSeconds: number): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    const { clock, hosts } = this.#options;
    entry.reclaimedAt = clock.now + noticeSeconds * SECOND_US;
    await clock.delay(noticeSeconds * SECOND_US);
    entry.interruption = text;
    await hosts?.end(id);
  }

  /** Changes it as a person would at the provider's console, or a program in it with a key of its own. */
  change(id: string, change: Partial<Pick<VmOrder, 'name' | 'container' | 'tags'>>): void {
    const entry = this.#entries.get(id);
    if (entry) entry.order = { ...entry.order, ...change };
  }

  /** Deletes it as a person would at the provider's console, and resolves when its host has ended. */
  async vanish(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry) await this.#finish(entry);
  }

  async reboot(id: string): Promise<void> {
    await this.#options.hosts?.reboot(id);
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    await Promise.all([...this.#entries.keys()].map((id) => this.vanish(id)));
  }

  /** Finishes the machines whose time has come; with hosts this takes a moment more. */
  #settle(): void {
    const { clock } = this.#options;
    for (const entry of this.#entries.values()) {
      if (entry.endsAt !== null && entry.endsAt <= clock.now) void this.#finish(entry);
    }
  }

  #finish(entry: Entry): Promise<void> {
    const { hosts } = this.#options;
    entry.endsAt ??= this.#options.clock.now;
    if (hosts === null) this.#remove(entry);
    else entry.end ??= hosts.end(entry.id).then(() => this.#remove(entry));
    return entry.end ?? Promise.resolve();
  }

  #remove({ id, order, address }: Entry): void {
    if (!this.#entries.delete(id)) return;
    this.#history.push(`-${id}`);
    this.capacity.giveBack(order.type, order.region);
    if (address && this.#options.hosts === null) this.#addresses.giveBack(address);
    this.#options.onEnded(id);
  }

  async #boot(entry: Entry, hosts: VmHosts): Promise<void> {
    const { loginUser, random, faults, metadata } = this.#options;
    const { id, order } = entry;
    const { noSsh, reuseAddress } = faults();
    try {
      entry.address = await hosts.boot({
        ...{ id, loginUser, name: order.name, userData: order.userData },
        authorizedKeys: order.keys.map(({ publicKey }) => publicKey),
        ...{ hasSshd: !random.chance(noSsh), reusesAddress: reuseAddress },
        metadata: metadata && ((request) => metadata(this.#view(entry), request)),
        container: order.container ?? null,
        onExit: (output) => {
          entry.failure ??= output;
        },
      });
      entry.isBooting = false;
    } catch (error) {
      entry.failure ??= error instanceof Error ? error.message : String(error);
    }
  }

  #view(entry: Entry): Vm {
    const { id, order, createdAt, readyAt, reclaimedAt, address } = entry;
    const problem = entry.interruption ?? entry.failure;
    const { privateAddress: internal } = entry;
    const known = {
      ...order,
      id,
      createdAt,
      readyAt,
      reclaimedAt,
      privateAddress: internal,
      problem,
    };
    return { ...known, state: this.#stateOf(entry), address: order.isPublic ? address : null };
  }

  #stateOf({ endsAt, interruption, failure, readyAt, isBooting }: Entry): VmState {
    const { clock, faults } = this.#options;
    if (endsAt !== null) return 'ending';
    if (interruption !== null) return 'interrupted';
    const isDue = readyAt !== null && readyAt <= clock.now && faults().hold !== 'boot';
    if (failure !== null) return readyAt !== null && !isDue ? 'pending' : 'failed';
    return isDue && !isBooting ? 'running' : 'pending';
  }
}
