/** The facts of machines beside moto: hosts, late lists, slow boots, and the provider's own reasons. */
import type { CloudClock } from '../clock.ts';
import { SECOND_US } from '../clock.ts';
import type { CloudFaults } from '../faults.ts';
import type { VmHosts } from '../hosts.ts';
import type { CloudRandom } from '../vm.ts';
import type { Fields } from './ec2-request.ts';
import { firstText, withText } from './ec2-xml.ts';

export interface Ec2VmsOptions {
  readonly clock: CloudClock;
  readonly random: CloudRandom;
  readonly faults: () => CloudFaults;
  /** Null: machines are records of moto only. */
  readonly hosts: VmHosts | null;
  readonly end: EndVm;
}

/** Ends or stops a machine in the account, without a request of a client. */
export type EndVm = (id: string, how: 'TerminateInstances' | 'StopInstances') => void;

interface Machine {
  readonly createdAt: number;
  readonly region: string;
  readonly group: string | null;
  /** The action of EC2 after a shutdown from inside the machine. */
  readonly shutdown: 'TerminateInstances' | 'StopInstances';
  /** Null: never. */
  readonly readyAt: number | null;
  /** The address of its host; null = it has none, or still boots. */
  address: string | null;
}

export class Ec2Vms {
  readonly #options: Ec2VmsOptions;
  readonly #vms = new Map<string, Machine>();
  /** Why machines ended without a request. */
  readonly #reclaimed = new Map<string, string>();
  readonly #ended = new Set<string>();
  readonly #history: string[] = [];
  #ends: Promise<void>[] = [];

  constructor(options: Ec2VmsOptions) {
    this.#options = options;
  }

  /** Those that were made and not ended. */
  get ids(): readonly string[] {
    return [...this.#vms.keys()];
  }

  /** Creations (`+id`) and ends (`-id`), in order. */
  get history(): readonly string[] {
    return this.#history;
  }

  regionOf(id: string): string | null {
    return this.#vms.get(id)?.region ?? null;
  }

  hasEnded(id: string): boolean {
    return this.#ended.has(id);
  }

  isInGroup(group: string): boolean {
    return [...this.#vms.values()].some((machine) => machine.group === group);
  }

  onMade(id: string, region: string, fields: Fields): void {
    const { clock, random, faults, hosts } = this.#options;
    const { bootSeconds, neverReady } = faults();
    const [shortest, longest] = bootSeconds;
    const bootUs = random.whole(shortest * 1000, longest * 1000) * 1000;
    const machine: Machine = {
      ...{ createdAt: clock.now, region, group: fields['Placement.GroupName'] ?? null },
      shutdown: endsByShutdown(fields) ? 'TerminateInstances' : 'StopInstances',
      readyAt: random.chance(neverReady) ? null : clock.now + bootUs,
      address: null,
    };
    this.#vms.set(id, machine);
    this.#history.push(`+${id}`);
    if (hosts && machine.readyAt !== null) void this.#boot(id, machine, fields, hosts);
  }

  async #boot(id: string, machine: Machine, fields: Fields, hosts: VmHosts): Promise<void> {
    const { random, faults } = this.#options;
    const { noSsh, reuseAddress } = faults();
    const data = Buffer.from(fields.UserData ?? '', 'base64').toString();
    // A machine that was ended while it booted has none.
    machine.address = await hosts
      .boot({
        ...{ id, name: id, loginUser: 'ubuntu', authorizedKeys: [], metadata: null },
        userData: data === '' ? null : data,
        ...{ hasSshd: !random.chance(noSsh), reusesAddress: reuseAddress },
        onPowerOff: () => this.#onPowerOff(id, machine),
      })
      .catch(() => null);
  }

  /** A stopped machine is still charged for, by its disk. */
  #onPowerOff(id: string, { shutdown }: Machine): void {
    this.#options.end(id, shutdown);
    if (shutdown === 'TerminateInstances') this.onReclaimed(id, SHUT_DOWN);
  }

  onEnded(id: string): void {
    if (!this.#vms.delete(id)) return;
    this.#ended.add(id);
    this.#history.push(`-${id}`);
    const { hosts } = this.#options;
    if (hosts) this.#ends.push(hosts.end(id));
  }

  /** The provider has ended it, for this reason. */
  onReclaimed(id: string, reason: string): void {
    this.#reclaimed.set(id, reason);
    this.onEnded(id);
  }

  isHidden(id: string): boolean {
    const { clock, faults } = this.#options;
    const machine = this.#vms.get(id);
    const since = clock.now - faults().eventualSeconds * SECOND_US;
    return machine !== undefined && machine.createdAt > since;
  }

  /** An item of a list of reservations, as the VM is seen now; null = not yet. */
  view(item: string): string | null {
    const id = firstText(item, 'instanceId') ?? '';
    if (this.isHidden(id)) return null;
    const reason = this.#reclaimed.get(id);
    if (reason !== undefined) return withReason(item, reason);
    const machine = this.#vms.get(id);
    if (machine === undefined) return item;
    if (!this.#isRunning(machine)) return asPending(item);
    if (machine.address === null) return item;
    const inside = withText(item, 'privateIpAddress', machine.address);
    return withText(inside, 'ipAddress', machine.address);
  }

  #isRunning({ readyAt, address }: Machine): boolean {
    const { clock, faults, hosts } = this.#options;
    const isDue = readyAt !== null && readyAt <= clock.now && faults().hold !== 'boot';
    return isDue && (hosts === null || address !== null);
  }

  /** Ends all hosts. */
  async close(): Promise<void> {
    for (const id of this.ids) this.onEnded(id);
    const ends = this.#ends;
    this.#ends = [];
    await Promise.all(ends);
  }
}

const SHUT_DOWN = 'Client.InstanceInitiatedShutdown: Instance initiated shutdown';

/** By default it stops. One-time requests for spot machines know no stop. */
function endsByShutdown(fields: Fields): boolean {
  const isOneTime =
    fields['InstanceMarketOptions.MarketType'] === 'spot' &&
    fields['InstanceMarketOptions.SpotOptions.SpotInstanceType'] === 'one-time';
  return isOneTime || fields.InstanceInitiatedShutdownBehavior === 'terminate';
}

const RUNNING = /<code>16<\/code>\s*<name>running<\/name>/;
const ADDRESS = /<ipAddress>[^<]*<\/ipAddress>/;

/** Without a public address, which a machine gets when it runs. */
function asPending(item: string): string {
  return item.replace(RUNNING, '<code>0</code><name>pending</name>').replace(ADDRESS, '');
}

function withReason(item: string, reason: string): string {
  const [code = ''] = reason.split(':');
  const element = `<stateReason><code>${code}</code><message>${reason}</message></stateReason>`;
  const without = item.replace(/<stateReason>.*?<\/stateReason>|<stateReason\s*\/>/s, '');
  return without.replace('<instanceState>', `${element}<instanceState>`);
}
