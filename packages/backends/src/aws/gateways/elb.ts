/** The calls of Elastic Load Balancing that gateways need, in one region. */
import { MissingThingError } from '../../base/rest-vm/refusals.ts';
import type { AwsClient } from '../aws-client.ts';
import type { AwsParameters } from '../form.ts';
import { awsPages } from '../pages.ts';
import type { XmlNode } from '../xml.ts';

export interface Alb {
  readonly arn: string;
  readonly name: string;
  /** Where clients reach it. */
  readonly hostname: string;
  /** Such as `provisioning` or `active`. */
  readonly state: string;
}

export interface AlbListener {
  readonly arn: string;
  readonly port: number;
}

/** The most things whose tags one call describes. */
const MOST_TAGGED = 20;

export class Elb {
  readonly region: string;
  readonly #client: AwsClient;

  constructor(client: AwsClient, region: string) {
    this.#client = client;
    this.region = region;
  }

  async balancer(name: string): Promise<Alb | null> {
    return (await this.#named('DescribeLoadBalancers', { Names: { member: [name] } }))[0] ?? null;
  }

  async balancers(): Promise<readonly Alb[]> {
    return await this.#named('DescribeLoadBalancers', {});
  }

  async createBalancer(parameters: AwsParameters): Promise<Alb | null> {
    const result = await this.change('CreateLoadBalancer', parameters);
    return result.items('LoadBalancers').map(albOf)[0] ?? null;
  }

  /** The identifier of a target group; null = there is none. */
  async targetGroup(name: string): Promise<string | null> {
    const [page] = await this.#pages('DescribeTargetGroups', { Names: { member: [name] } });
    return page?.items('TargetGroups')[0]?.text('TargetGroupArn') ?? null;
  }

  /** Names and identifiers. */
  async targetGroups(): Promise<readonly { readonly arn: string; readonly name: string }[]> {
    const pages = await this.#pages('DescribeTargetGroups', {});
    return pages.flatMap((page) =>
      page.items('TargetGroups').map((item) => ({
        ...{ arn: item.text('TargetGroupArn') ?? '', name: item.text('TargetGroupName') ?? '' },
      })),
    );
  }

  async createTargetGroup(parameters: AwsParameters): Promise<string | null> {
    const result = await this.change('CreateTargetGroup', parameters);
    return result.items('TargetGroups')[0]?.text('TargetGroupArn') ?? null;
  }

  async listeners(balancer: string): Promise<readonly AlbListener[]> {
    const pages = await this.#pages('DescribeListeners', { LoadBalancerArn: balancer });
    return pages.flatMap((page) =>
      page.items('Listeners').map((item) => ({
        ...{ arn: item.text('ListenerArn') ?? '', port: item.number('Port') ?? 0 },
      })),
    );
  }

  /** Tags by identifiers. */
  async tags(
    arns: readonly string[],
  ): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> {
    const found = new Map<string, Readonly<Record<string, string>>>();
    for (let at = 0; at < arns.length; at += MOST_TAGGED) {
      const asked = { ResourceArns: { member: arns.slice(at, at + MOST_TAGGED) } };
      const [page] = await this.#pages('DescribeTags', asked);
      for (const item of page?.items('TagDescriptions') ?? []) {
        const tags = item.items('Tags').map((tag) => [tag.text('Key'), tag.text('Value') ?? '']);
        found.set(item.text('ResourceArn') ?? '', Object.fromEntries(tags));
      }
    }
    return found;
  }

  /** Health of a target by the id of its machine, in the words of AWS; null = it is not registered. */
  async health(targetGroup: string, machine: string): Promise<string | null> {
    const asked = { TargetGroupArn: targetGroup, Targets: { member: [{ Id: machine }] } };
    const [page] = await this.#pages('DescribeTargetHealth', asked);
    const [one] = page?.items('TargetHealthDescriptions') ?? [];
    // AWS answers about machines that were never registered, too.
    if (one?.text('TargetHealth', 'Reason') === 'Target.NotRegistered') return null;
    return one?.text('TargetHealth', 'State') ?? null;
  }

  /** Returns the result. What is missing throws `MissingThingError`. */
  async change(action: string, parameters: AwsParameters): Promise<XmlNode> {
    const answer = await this.#client.xml({ ...this.#call(action), kind: 'create', parameters });
    return answer.at(`${action}Result`);
  }

  #call(action: string) {
    return { service: 'elasticloadbalancing', region: this.region, action } as const;
  }

  async #named(action: string, parameters: AwsParameters): Promise<readonly Alb[]> {
    const pages = await this.#pages(action, parameters);
    return pages.flatMap((page) => page.items('LoadBalancers').map(albOf));
  }

  /** Nothing for names that are unknown. */
  async #pages(action: string, parameters: AwsParameters): Promise<readonly XmlNode[]> {
    try {
      return await awsPages(action, async (Marker) => {
        const answer = await this.#client.xml({
          ...{ ...this.#call(action), kind: 'look' },
          parameters: { ...parameters, Marker },
        });
        const page = answer.at(`${action}Result`);
        return { page, next: page.text('NextMarker') };
      });
    } catch (error) {
      if (error instanceof MissingThingError) return [];
      throw error;
    }
  }
}

function albOf(item: XmlNode): Alb {
  return {
    ...{ arn: item.text('LoadBalancerArn') ?? '', name: item.text('LoadBalancerName') ?? '' },
    ...{ hostname: item.text('DNSName') ?? '', state: item.text('State', 'Code') ?? '' },
  };
}
