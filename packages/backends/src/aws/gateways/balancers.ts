/**
 * Application load balancers before gateways: listeners, one target group, the balancer. Their names come from the
 * gateway, so that each is found before it is made, also by a server that starts after a crash.
 */
import { NoAnswerError, RefusedOrderError } from '../../base/errors.ts';
import { type GatewayOrder, placeKey, placeOfKey } from '../../base/gateway-port.ts';
import { addedOnce } from '../../base/rest-vm/added-once.ts';
import type {
  GatewayBalancer,
  GatewayBalancers,
  ListedBalancer,
} from '../../base/rest-vm/gateways/gateway-parts.ts';
import { digest } from '../../base/rest-vm/in-region.ts';
import { KEY_TAG, ownerIn } from '../../base/rest-vm/names.ts';
import { MissingThingError, NotNowError } from '../../base/rest-vm/refusals.ts';
import { GATEWAYS_GROUP, type Networks } from '../networks.ts';
import { awsCode } from '../refusals.ts';
import { resourceTags } from '../resources.ts';
import type { Alb, Elb } from './elb.ts';

export interface BalancersOptions {
  readonly elb: Elb;
  readonly networks: (isPublic: boolean) => Networks;
  /** Tags of the configuration, which win over those of users. */
  readonly tags: Readonly<Record<string, string>>;
}

type Ordered = Omit<GatewayOrder, 'key'>;

const PREFIX = 'dstack-';
/** That of dstack 0.22.5. */
const TLS_POLICY = 'ELBSecurityPolicy-2016-08';
const LEAST_ZONES = 2;
const PORTS = { http: 80, https: 443 };

/** The name of the balancer and of its target group: AWS allows 32 characters. */
export const balancerName = (server: string, gatewayId: string): string =>
  `${PREFIX}${digest(server, gatewayId)}`;

export class Balancers implements GatewayBalancers {
  readonly #options: BalancersOptions;

  constructor(options: BalancersOptions) {
    this.#options = options;
  }

  /** Makes what is missing. Throws `RefusedOrderError` if the network has too few zones. */
  async ensure(order: Ordered): Promise<GatewayBalancer> {
    const { elb } = this.#options;
    const name = balancerName(order.owner.server, order.gateway.id);
    const balancer = (await elb.balancer(name)) ?? (await this.#create(name, order));
    const targetGroup = (await elb.targetGroup(name)) ?? (await this.#createTargets(name, order));
    await this.#listen(balancer, targetGroup, order);
    const { hostname, state } = balancer;
    return { hostname, isActive: state === 'active', targetGroup };
  }

  /** Null: there is none. */
  async find(server: string, gatewayId: string): Promise<Alb | null> {
    return await this.#options.elb.balancer(balancerName(server, gatewayId));
  }

  /** Repeatable. A machine that is new may be refused until it runs. */
  async register({ targetGroup }: Pick<GatewayBalancer, 'targetGroup'>, machine: string) {
    const target = { Id: machine, Port: PORTS.http };
    const parameters = { TargetGroupArn: targetGroup, Targets: { member: [target] } };
    await ignoringMissing(() => this.#options.elb.change('RegisterTargets', parameters));
  }

  /** The health of a machine in the words of AWS; null = it is not registered. */
  async health({ targetGroup }: Pick<GatewayBalancer, 'targetGroup'>, machine: string) {
    return await this.#options.elb.health(targetGroup, machine);
  }

  /** A machine that ends gets no new requests. */
  async deregister(server: string, gatewayId: string, machine: string): Promise<void> {
    const { elb } = this.#options;
    const group = await elb.targetGroup(balancerName(server, gatewayId));
    if (group === null) return;
    const targets = { member: [{ Id: machine, Port: PORTS.http }] };
    const parameters = { TargetGroupArn: group, Targets: targets };
    await ignoringMissing(() => elb.change('DeregisterTargets', parameters));
  }

  /** Deletes listeners, balancer and target group, in this order; `releasing`: call it again. */
  async release(server: string, gatewayId: string): Promise<'released' | 'releasing'> {
    const { elb } = this.#options;
    const name = balancerName(server, gatewayId);
    const [balancer, group] = await Promise.all([elb.balancer(name), elb.targetGroup(name)]);
    if (balancer) await this.#deleteBalancer(balancer.arn);
    return group === null ? 'released' : await this.#deleteGroup(group);
  }

  /** Ends one of them, found by `list`. */
  async releaseById(arn: string): Promise<'released' | 'releasing'> {
    if (arn.includes(':targetgroup/')) return await this.#deleteGroup(arn);
    await this.#deleteBalancer(arn);
    return 'released';
  }

  /** Balancers and target groups of a server. */
  async list(server: string): Promise<readonly ListedBalancer[]> {
    const { elb } = this.#options;
    const [balancers, groups] = await Promise.all([elb.balancers(), elb.targetGroups()]);
    const named = [...balancers, ...groups].filter(({ name }) => name.startsWith(PREFIX));
    const tags = await elb.tags(named.map(({ arn }) => arn));
    return named.flatMap(({ arn }) => {
      const found = tags.get(arn) ?? {};
      const isOfGateway = placeOfKey(found[KEY_TAG] ?? '') !== null;
      const isOurs = isOfGateway && ownerIn(found).server === server;
      return isOurs ? [{ id: arn, tags: found }] : [];
    });
  }

  async #create(name: string, order: Ordered): Promise<Alb> {
    const { elb, networks } = this.#options;
    const { isPublic, owner } = order;
    const network = networks(isPublic);
    const { subnets } = await network.network();
    if (subnets.length < LEAST_ZONES) {
      const kind = isPublic ? 'public' : 'private';
      throw new RefusedOrderError(
        `AWS: a load balancer needs ${kind} subnets in at least ${LEAST_ZONES} zones, and the network of region ${elb.region} has them in ${subnets.length}`,
      );
    }
    const group = await network.group(owner.project, owner.server, GATEWAYS_GROUP);
    const create = () =>
      elb.createBalancer({
        ...{ Name: name, Type: 'application', Scheme: isPublic ? 'internet-facing' : 'internal' },
        Subnets: { member: subnets.map(({ id }) => id) },
        ...{ SecurityGroups: { member: [group] }, Tags: this.#tagsOf(order) },
      });
    // Another replica, or another server, may make it at the same moment.
    const made = await addedOnce(create, () => elb.balancer(name));
    if (made) return made;
    throw new NoAnswerError('AWS: a load balancer that was created without an identifier');
  }

  async #createTargets(name: string, order: Ordered): Promise<string> {
    const { elb, networks } = this.#options;
    const { vpc } = await networks(order.isPublic).network();
    const create = () =>
      elb.createTargetGroup({
        ...{ Name: name, Protocol: 'HTTP', Port: PORTS.http, VpcId: vpc, TargetType: 'instance' },
        // nginx answers names that it does not serve with 404: it is there all the same.
        ...{ HealthCheckPath: '/', Matcher: { HttpCode: '200-499' }, Tags: this.#tagsOf(order) },
      });
    const made = await addedOnce(create, () => elb.targetGroup(name));
    if (made !== null) return made;
    throw new NoAnswerError('AWS: a target group that was created without an identifier');
  }

  async #listen({ arn }: Alb, targetGroup: string, { balancer }: Ordered): Promise<void> {
    const known = new Set((await this.#options.elb.listeners(arn)).map(({ port }) => port));
    const certificateArn = balancer?.certificateArn ?? null;
    const forward = { Type: 'forward', TargetGroupArn: targetGroup };
    const redirect = {
      Type: 'redirect',
      RedirectConfig: { Protocol: 'HTTPS', Port: '443', StatusCode: 'HTTP_301' },
    };
    if (certificateArn !== null && !known.has(PORTS.https)) {
      await this.#listener({
        ...{ LoadBalancerArn: arn, Protocol: 'HTTPS', Port: PORTS.https, SslPolicy: TLS_POLICY },
        Certificates: { member: [{ CertificateArn: certificateArn }] },
        DefaultActions: { member: [forward] },
      });
    }
    if (known.has(PORTS.http)) return;
    await this.#listener({
      ...{ LoadBalancerArn: arn, Protocol: 'HTTP', Port: PORTS.http },
      DefaultActions: { member: [certificateArn === null ? forward : redirect] },
    });
  }

  async #listener(parameters: Parameters<Elb['change']>[1]): Promise<void> {
    try {
      await this.#options.elb.change('CreateListener', parameters);
    } catch (error) {
      // Another server, or another replica, has made it.
      if (awsCode(error) !== 'DuplicateListener') throw error;
    }
  }

  #tagsOf({ owner, gateway, tags }: Ordered) {
    const all = resourceTags(
      { ...owner, instance: gateway.name },
      placeKey(gateway.id, null),
      { Name: gateway.name, ...this.#options.tags },
      tags,
    );
    return { member: Object.entries(all).map(([Key, Value]) => ({ Key, Value })) };
  }

  async #deleteBalancer(arn: string): Promise<void> {
    const { elb } = this.#options;
    for (const listener of await elb.listeners(arn)) {
      await ignoringMissing(() => elb.change('DeleteListener', { ListenerArn: listener.arn }));
    }
    await ignoringMissing(() => elb.change('DeleteLoadBalancer', { LoadBalancerArn: arn }));
  }

  async #deleteGroup(arn: string): Promise<'released' | 'releasing'> {
    try {
      const parameters = { TargetGroupArn: arn };
      await ignoringMissing(() => this.#options.elb.change('DeleteTargetGroup', parameters));
      return 'released';
    } catch (error) {
      // Its listeners are still being deleted.
      if (error instanceof NotNowError) return 'releasing';
      throw error;
    }
  }
}

async function ignoringMissing(call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof MissingThingError)) throw error;
  }
}
