/** The network in which the machines of a region stand: VPC, one subnet for each zone, and the security groups. */
import type { Offer } from '@dstack/core';
import { RefusedOrderError, SkipOfferError } from '../base/errors.ts';
import { KeptAnswer } from '../base/kept-answer.ts';
import { OWNER_TAGS, type OwnerTags } from '../base/owner-tags.ts';
import { addedOnce } from '../base/rest-vm/added-once.ts';
import { MissingThingError, NotNowError } from '../base/rest-vm/refusals.ts';
import type { Ec2, Ec2RouteTable, Ec2Subnet } from './ec2.ts';
import { awsCode } from './refusals.ts';
import { tagSpecification } from './tags.ts';

export interface NetworkChoice {
  /** Id of the VPC of the region; null = see the next ones. */
  readonly vpcId: string | null;
  /** Its tag `Name`; null = the default VPC. */
  readonly vpcName: string | null;
  /** Whether the default VPC may be used where no other one is named. */
  readonly allowsDefault: boolean;
  /** Whether machines get public addresses, and so stand in public subnets. */
  readonly isPublic: boolean;
}

export interface Network {
  readonly vpc: string;
  /** The first subnet of each zone that fits. */
  readonly subnets: readonly Ec2Subnet[];
}

/** A security group that each project has once in a VPC. */
export interface GroupRules {
  readonly nameOf: (project: string) => string;
  /** The name that dstack 0.22.5 gives it; null = none is used. */
  readonly oldNameOf: ((project: string) => string) | null;
  readonly description: string;
  /** Every address may connect to them. */
  readonly ports: readonly number[];
  /** Whether its machines reach each other by all ports. */
  readonly isShared: boolean;
}

export const INSTANCES_GROUP: GroupRules = {
  // The name belongs to one project only: those of dstack 0.22.5 contain no hyphen.
  nameOf: (project) => `dstack-security-group-${project}`,
  // The name is the same for the projects `a-b` and `a_b`.
  oldNameOf: (project) => `dstack_security_group_${project.replaceAll('-', '_')}`,
  ...{ description: 'Machines of dstack', ports: [22], isShared: true },
};

export const GATEWAYS_GROUP: GroupRules = {
  nameOf: (project) => `dstack-gateways-${project}`,
  oldNameOf: null,
  ...{ description: 'Gateways of dstack', ports: [22, 80, 443], isShared: false },
};

/** Id of the subnet in the zone of an offer. */
export function subnetFor({ availability_zones, region }: Offer, { subnets }: Network): string {
  const [zone] = availability_zones ?? [];
  const subnet = subnets.find((one) => one.zone === zone);
  if (subnet) return subnet.id;
  throw new SkipOfferError(`the network of region ${region} has no subnet in ${zone}`);
}

const KEPT_MS = 600_000;
/** The tag of dstack 0.22.5. */
const OLD_PROJECT_TAG = 'dstack_project';

export class Networks {
  readonly #ec2: Ec2;
  readonly #choice: NetworkChoice;
  readonly #network: KeptAnswer<Network>;
  /** Ids of security groups whose rules are complete, by names. */
  readonly #groups = new Map<string, KeptAnswer<string>>();
  readonly #now: () => number;

  constructor(ec2: Ec2, choice: NetworkChoice, now: () => number) {
    this.#ec2 = ec2;
    this.#choice = choice;
    this.#now = now;
    this.#network = new KeptAnswer(KEPT_MS, now, () => this.#chosen());
  }

  /** Throws `RefusedOrderError` with the reason if the region has no network that fits. */
  async network(): Promise<Network> {
    return await this.#network.value();
  }

  /** Id of a security group of a project; makes what is missing of it. */
  async group(project: string, server: string, rules = INSTANCES_GROUP): Promise<string> {
    const name = rules.nameOf(project);
    const known = this.#groups.get(name);
    if (known) return await known.value();
    const owner = { project, server };
    const made = new KeptAnswer(KEPT_MS, this.#now, () => this.#madeGroup(owner, rules));
    this.#groups.set(name, made);
    return await made.value();
  }

  /** EC2 has refused one of them: a user has deleted it. */
  forget(): void {
    this.#network.drop();
    this.#groups.clear();
  }

  async #chosen(): Promise<Network> {
    const { isPublic } = this.#choice;
    const { vpc, title } = await this.#vpc();
    const [subnets, tables] = await Promise.all([
      this.#ec2.subnets(vpc),
      this.#ec2.routeTables(vpc),
    ]);
    const fits = subnets.filter(({ id }) =>
      (isPublic ? isPublicSubnet : isPrivateSubnet)(id, tables),
    );
    const byZone = new Map(fits.toReversed().map((subnet) => [subnet.zone, subnet]));
    if (byZone.size === 0) {
      const kind = isPublic ? 'public' : 'private';
      throw new RefusedOrderError(
        `AWS: no ${kind} subnets in ${title} in region ${this.#ec2.region}: ${MISSING_ROUTE[kind]}`,
      );
    }
    return { vpc, subnets: [...byZone.values()].sort((a, b) => (a.zone < b.zone ? -1 : 1)) };
  }

  async #vpc(): Promise<{ readonly vpc: string; readonly title: string }> {
    const { vpcId, vpcName, allowsDefault } = this.#choice;
    const { region } = this.#ec2;
    if (vpcId !== null) {
      const [vpc] = await this.#ec2.vpcs({ 'vpc-id': [vpcId] });
      if (vpc) return { vpc, title: `VPC ${vpcId}` };
      throw new RefusedOrderError(`AWS: no VPC ${vpcId} in region ${region}`);
    }
    if (vpcName !== null) {
      const [vpc, other] = await this.#ec2.vpcs({ 'tag:Name': [vpcName] });
      if (other)
        throw new RefusedOrderError(`AWS: several VPCs are named ${vpcName} in region ${region}`);
      if (vpc) return { vpc, title: `VPC ${vpcName}` };
      throw new RefusedOrderError(`AWS: no VPC named ${vpcName} in region ${region}`);
    }
    const [vpc] = allowsDefault ? await this.#ec2.vpcs({ 'is-default': ['true'] }) : [];
    if (vpc) return { vpc, title: 'the default VPC' };
    throw new RefusedOrderError(
      allowsDefault
        ? `AWS: no default VPC in region ${region}: name one in vpc_ids`
        : `AWS: vpc_ids names no VPC of region ${region}, and default_vpcs is false`,
    );
  }

  async #madeGroup(
    { project, server }: Pick<OwnerTags, 'project' | 'server'>,
    rules: GroupRules,
  ): Promise<string> {
    const { vpc } = await this.network();
    const name = rules.nameOf(project);
    const known = () => this.#knownGroup(vpc, project, rules);
    const tags = { [OWNER_TAGS.server]: server, [OWNER_TAGS.project]: project };
    const create = async () => {
      const answer = await this.#ec2.change('CreateSecurityGroup', {
        ...{ GroupName: name, GroupDescription: rules.description, VpcId: vpc },
        TagSpecification: [tagSpecification('security-group', { Name: name, ...tags })],
      });
      return answer.text('groupId');
    };
    const id = (await known()) ?? (await addedOnce(create, known));
    if (id === null) throw new NotNowError(`AWS: the security group ${name} is not listed yet`);
    for (const port of rules.ports) {
      await this.#rule('AuthorizeSecurityGroupIngress', id, {
        ...{ IpProtocol: 'tcp', FromPort: port, ToPort: port },
        IpRanges: [{ CidrIp: '0.0.0.0/0' }],
      });
    }
    if (!rules.isShared) return id;
    const within = { IpProtocol: '-1', Groups: [{ GroupId: id }] };
    await this.#rule('AuthorizeSecurityGroupIngress', id, within);
    // Interfaces of EFA need it besides the rule that every group begins with.
    await this.#rule('AuthorizeSecurityGroupEgress', id, within);
    return id;
  }

  /** The id of the group of a project, by any of its names; null = there is none. */
  async #knownGroup(
    vpc: string,
    project: string,
    { nameOf, oldNameOf }: GroupRules,
  ): Promise<string | null> {
    const name = nameOf(project);
    const old = oldNameOf === null ? [] : [oldNameOf(project)];
    const groups = await this.#ec2.securityGroups(vpc, [name, ...old]);
    const own = groups.find((group) => group.name === name);
    return (own ?? groups.find(({ tags }) => isOfProject(tags, project)))?.id ?? null;
  }

  async #rule(action: string, GroupId: string, permission: object): Promise<void> {
    try {
      await this.#ec2.change(action, { GroupId, IpPermissions: [{ ...permission }] });
    } catch (error) {
      if (awsCode(error) === 'InvalidPermission.Duplicate') return;
      // A new group may be unknown for a moment.
      if (error instanceof MissingThingError) throw new NotNowError(error.message);
      throw error;
    }
  }
}

/** Whether a group with an old name is that of a project; one without such a tag was made by a user. */
function isOfProject(tags: Readonly<Record<string, string>>, project: string): boolean {
  return (tags[OWNER_TAGS.project] ?? tags[OLD_PROJECT_TAG] ?? project) === project;
}

const MISSING_ROUTE = {
  public: 'none has a route to an internet gateway. Add one, or set public_ips: false',
  private: 'none has a default route through a NAT gateway, a transit gateway or a peering',
} as const;

function isPublicSubnet(id: string, tables: readonly Ec2RouteTable[]): boolean {
  const own = tables.find(({ subnets }) => subnets.includes(id));
  const table = own ?? tables.find(({ isMain }) => isMain);
  return table?.routes.some(({ gateway }) => gateway?.startsWith('igw-') === true) ?? false;
}

function isPrivateSubnet(id: string, tables: readonly Ec2RouteTable[]): boolean {
  const own = tables.find(({ subnets }) => subnets.includes(id));
  const table = own ?? tables.find(({ isMain }) => isMain);
  return table?.routes.some(({ to, isPrivate }) => to === '0.0.0.0/0' && isPrivate) ?? false;
}
