/**
 * The network in which the machines of a region stand: VPC, one subnet for each zone, and the security group,
 * which lets SSH in, and everything among the machines of a project.
 */
import { RefusedOrderError } from '../base/errors.ts';
import { KeptAnswer } from '../base/kept-answer.ts';
import { OWNER_TAGS } from '../base/owner-tags.ts';
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

const KEPT_MS = 600_000;
/** The tag of dstack 0.22.5. */
const OLD_PROJECT_TAG = 'dstack_project';

export class Networks {
  readonly #ec2: Ec2;
  readonly #choice: NetworkChoice;
  readonly #network: KeptAnswer<Network>;
  /** Ids of security groups whose rules are complete, by projects. */
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

  /** Id of the security group of a project; makes what is missing of it. */
  async group(project: string, server: string): Promise<string> {
    const known = this.#groups.get(project);
    if (known) return await known.value();
    const made = new KeptAnswer(KEPT_MS, this.#now, () => this.#madeGroup(project, server));
    this.#groups.set(project, made);
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

  async #madeGroup(project: string, server: string): Promise<string> {
    const { vpc } = await this.network();
    const name = groupName(project);
    const known = () => this.#knownGroup(vpc, project);
    const tags = { [OWNER_TAGS.server]: server, [OWNER_TAGS.project]: project };
    const create = async () => {
      const answer = await this.#ec2.change('CreateSecurityGroup', {
        ...{ GroupName: name, GroupDescription: 'Machines of dstack', VpcId: vpc },
        TagSpecification: [tagSpecification('security-group', { Name: name, ...tags })],
      });
      return answer.text('groupId');
    };
    const id = (await known()) ?? (await addedOnce(create, known));
    if (id === null) throw new NotNowError(`AWS: the security group ${name} is not listed yet`);
    await this.#rule('AuthorizeSecurityGroupIngress', id, {
      ...{ IpProtocol: 'tcp', FromPort: 22, ToPort: 22 },
      IpRanges: [{ CidrIp: '0.0.0.0/0' }],
    });
    const within = { IpProtocol: '-1', Groups: [{ GroupId: id }] };
    await this.#rule('AuthorizeSecurityGroupIngress', id, within);
    // Interfaces of EFA need it besides the rule that every group begins with.
    await this.#rule('AuthorizeSecurityGroupEgress', id, within);
    return id;
  }

  /** The id of the group of a project, by any of its names; null = there is none. */
  async #knownGroup(vpc: string, project: string): Promise<string | null> {
    const name = groupName(project);
    const groups = await this.#ec2.securityGroups(vpc, [name, oldGroupName(project)]);
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

/** The name belongs to one project only: those of dstack 0.22.5 contain no hyphen. */
function groupName(project: string): string {
  return `dstack-security-group-${project}`;
}

/** The name that dstack 0.22.5 gives it, which is the same for the projects `a-b` and `a_b`. */
function oldGroupName(project: string): string {
  return `dstack_security_group_${project.replaceAll('-', '_')}`;
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
