/** The network of machines: the subnetwork of each region, and the rule of the firewall that lets SSH in. */
import { RefusedOrderError } from '../base/errors.ts';
import { KeptAnswer } from '../base/kept-answer.ts';
import { digest } from '../base/rest-vm/in-region.ts';
import { refusalCode } from '../base/rest-vm/refusals.ts';
import { type Compute, lastSegment, type UsableSubnetwork } from './compute.ts';
import type { NetworkSettings } from './settings.ts';

/** One interface of a machine. */
export interface NetworkPlace {
  readonly network: string;
  readonly subnetwork: string;
}

/** The tags by which the rules find machines, as by dstack 0.22.5. */
export const NETWORK_TAG = 'dstack-runner-instance';
export const GATEWAY_NETWORK_TAG = 'dstack-gateway-instance';

const DEFAULT_VPC = 'default';
/** Other subnetworks are for load balancers, NAT and the like; omitted = for machines. */
const FOR_MACHINES: ReadonlySet<string> = new Set(['PRIVATE', 'PRIVATE_RFC_1918']);
const SUBNETWORKS_KEPT_MS = 120_000;
const RULE_KEPT_MS = 600_000;
const LONGEST_NAME = 63;

/** A rule of the firewall, one for each VPC. */
interface IngressRule {
  readonly prefix: string;
  readonly ports: readonly string[];
  readonly tag: string;
  readonly description: string;
}

const SSH: IngressRule = {
  ...{ prefix: 'dstack-ssh-in-', ports: ['22'], tag: NETWORK_TAG },
  description: 'SSH for machines of dstack',
};
const CLIENTS: IngressRule = {
  ...{ prefix: 'dstack-gateway-in-', ports: ['22', '80', '443'], tag: GATEWAY_NETWORK_TAG },
  description: 'SSH, HTTP and HTTPS for gateways of dstack',
};

export class Networks {
  readonly #compute: Compute;
  readonly #settings: NetworkSettings;
  readonly #usable: KeptAnswer<readonly UsableSubnetwork[]>;
  readonly #sshRule: KeptAnswer<void>;
  readonly #clientsRule: KeptAnswer<void>;

  /** `now`: milliseconds that no step of the clock moves. */
  constructor(compute: Compute, settings: NetworkSettings, now: () => number) {
    this.#compute = compute;
    this.#settings = settings;
    this.#usable = new KeptAnswer(SUBNETWORKS_KEPT_MS, now, () =>
      compute.usableSubnetworks(this.hostProject),
    );
    const rule = (of: IngressRule) => new KeptAnswer(RULE_KEPT_MS, now, () => this.#madeRule(of));
    this.#sshRule = rule(SSH);
    this.#clientsRule = rule(CLIENTS);
  }

  /** The project of the network. */
  get hostProject(): string {
    return this.#settings.hostProject ?? this.#compute.project;
  }

  get vpc(): string {
    return this.#settings.vpc ?? DEFAULT_VPC;
  }

  /** The first interface of a machine. Throws `RefusedOrderError` if the region has no subnetwork that fits. */
  async place(region: string): Promise<NetworkPlace> {
    const named = this.#settings.subnetworks[region] ?? null;
    const found = await this.#found(region, this.vpc, named);
    if (found !== null) return found;
    const what = named === null ? 'subnetwork' : `subnetwork ${named}`;
    throw new RefusedOrderError(
      `GCP: the credentials can use no ${what} of VPC ${this.vpc} of project ${this.hostProject} in region ${region}`,
    );
  }

  /** The others, at most `count`, each in one of the extra VPCs. */
  async extraPlaces(region: string, count: number): Promise<readonly NetworkPlace[]> {
    const { extraVpcs } = this.#settings;
    const found = await Promise.all(
      extraVpcs.slice(0, count).map((vpc) => this.#found(region, vpc, null)),
    );
    const missing = found.indexOf(null);
    if (missing < 0) return found.filter((one) => one !== null);
    throw new RefusedOrderError(
      `GCP: the credentials can use no subnetwork of VPC ${extraVpcs[missing]} (extra_vpcs) in region ${region}`,
    );
  }

  /** Lets SSH in, unless the network belongs to another project, whose owner does that. */
  async allowSsh(): Promise<void> {
    if (this.#settings.hostProject === null) await this.#sshRule.value();
  }

  /** Lets SSH, HTTP and HTTPS in to gateways, with the same exception. */
  async allowClients(): Promise<void> {
    if (this.#settings.hostProject === null) await this.#clientsRule.value();
  }

  /** Google has refused one of them: a user has deleted it. */
  forget(): void {
    this.#usable.drop();
    this.#sshRule.drop();
    this.#clientsRule.drop();
  }

  async #found(region: string, vpc: string, name: string | null): Promise<NetworkPlace | null> {
    const path = `/projects/${this.hostProject}/global/networks/${vpc}`;
    const found = (await this.#usable.value()).find(
      ({ network, subnetwork, purpose = 'PRIVATE' }) =>
        FOR_MACHINES.has(purpose) &&
        network.endsWith(path) &&
        subnetwork.includes(`/regions/${region}/`) &&
        (name === null || lastSegment(subnetwork) === name),
    );
    return found ? { network: found.network, subnetwork: found.subnetwork } : null;
  }

  async #madeRule({ prefix, ports, tag, description }: IngressRule): Promise<void> {
    const network = `projects/${this.hostProject}/global/networks/${this.vpc}`;
    const rule = {
      ...{ name: ruleName(prefix, this.vpc), network, direction: 'INGRESS' },
      ...{ sourceRanges: ['0.0.0.0/0'], allowed: [{ IPProtocol: 'tcp', ports }] },
      ...{ targetTags: [tag], description },
    };
    try {
      await this.#compute.insertFirewall(rule);
    } catch (error) {
      if (refusalCode(error) !== 'alreadyExists') throw error;
    }
  }
}

function ruleName(prefix: string, vpc: string): string {
  const name = `${prefix}${vpc}`;
  return name.length <= LONGEST_NAME ? name : `${prefix}${digest(vpc)}`;
}
