/**
 * EC2 in the process of its client, as far as machines need it, for what moto behind its front is too slow for: a
 * simulation with a clock of its own. Moto remains the judge of encodings and signatures, which nothing here checks.
 */
import { randomBytes } from 'node:crypto';
import type { CloudAccount } from '../../account.ts';
import { listed, regionOf } from '../../aws/ec2-request.ts';
import { type Ec2Answer, ec2Answer } from '../../aws/ec2-xml.ts';
import { refusedByEc2 } from '../../aws/errors.ts';
import type { CloudCall, Personality } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer, CloudRequest } from '../../request.ts';
import type { CloudTag } from '../../vm.ts';
import { AWS_CATALOG, ZONES } from './catalog.ts';
import { imageForm, instanceForm, list, routeTableForm, text } from './forms.ts';

type Fields = Readonly<Record<string, string>>;

/** Facts that EC2 stores beside the machines of the account. */
interface Ec2Facts {
  /** Zones of all machines that were ever made, by id. */
  readonly zones: Map<string, string>;
  /** Orders and machines by idempotency tokens. */
  readonly tokens: Map<string, { readonly request: string; readonly id: string }>;
  /** Ids of security groups by name. */
  readonly groups: Map<string, string>;
}

const FACTS = new WeakMap<CloudAccount, Ec2Facts>();

function factsOf(account: CloudAccount): Ec2Facts {
  const facts = FACTS.get(account) ?? { zones: new Map(), tokens: new Map(), groups: new Map() };
  FACTS.set(account, facts);
  return facts;
}

export interface Ec2Call {
  readonly account: CloudAccount;
  readonly region: string;
  readonly fields: Fields;
}

/** Each returns the elements of its answer. */
const ACTIONS: Readonly<Record<string, (call: Ec2Call) => string>> = {
  AuthorizeSecurityGroupEgress: () => text('return', 'true'),
  AuthorizeSecurityGroupIngress: () => text('return', 'true'),
  CreateSecurityGroup: createGroup,
  // It has no gateways: sweeps find none of what belongs to them.
  DescribeAddresses: () => '',
  DescribeLoadBalancers: () => '',
  DescribeTargetGroups: () => '',
  DescribeImages: ({ account }) => list('imagesSet', account.catalog.images.map(imageForm)),
  DescribeInstances: describeInstances,
  DescribeInstanceTypeOfferings: offerings,
  DescribeRouteTables: () => list('routeTableSet', [routeTableForm()]),
  DescribeSecurityGroups: describeGroups,
  DescribeSpotPriceHistory: ({ account, region }) =>
    list(
      'spotPriceHistorySet',
      account.catalog.types.flatMap(({ name, pricePerHour }) =>
        zonesOf(region).map(
          (zone) =>
            text('instanceType', name) +
            text('availabilityZone', zone) +
            text('spotPrice', String(pricePerHour / 4)),
        ),
      ),
    ),
  DescribeSubnets: ({ region }) =>
    list(
      'subnetSet',
      zonesOf(region).map(
        (zone) => text('subnetId', `subnet-${zone}`) + text('availabilityZone', zone),
      ),
    ),
  DescribeVpcs: () => list('vpcSet', [text('vpcId', 'vpc-1')]),
  RunInstances: runInstances,
  TerminateInstances: terminateInstances,
};

/** A machine whose shutdown costs nothing: see `VmState`. */
export const AWS: Personality = {
  name: 'aws',
  catalog: AWS_CATALOG,
  loginUser: 'ubuntu',
  ids: { vm: () => `i-${randomBytes(9).toString('hex').slice(1)}` },
  newApiKey: () => `AKIA${randomBytes(8).toString('hex').toUpperCase()}`,
  authenticates: ({ headers }, apiKey) =>
    String(headers.authorization).startsWith(`AWS4-HMAC-SHA256 Credential=${apiKey}/`),
  limits: [
    { calls: 20, seconds: 1, appliesTo: () => true },
    { calls: 2, seconds: 1, appliesTo: isOrder },
  ],
  routes: [{ method: 'POST', path: '/', answer }],
  refuse: (refusal) => asXml(refusedByEc2(refusal)),
};

function isOrder({ body }: CloudRequest): boolean {
  return (body as Fields | null)?.Action === 'RunInstances';
}

function answer({ account, body, headers }: CloudCall): CloudAnswer {
  // A service of its own, with JSON: no quota is set.
  if (String(headers['x-amz-target'] ?? '').endsWith('.ListServiceQuotas')) {
    return { status: 200, body: { Quotas: [] } };
  }
  const fields = body as Fields;
  const { Action: action = '' } = fields;
  const carryOut = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (carryOut === undefined) throw new Error(`the personality of AWS lacks ${action}`);
  const region = regionOf({ authorization: String(headers.authorization) });
  return asXml(ec2Answer(action, carryOut({ account, region, fields })));
}

const asXml = ({ status, body }: Ec2Answer): CloudAnswer => ({ status, body: null, text: body });

const zonesOf = (region: string) => ZONES.map((letter) => `${region}${letter}`);

function describeInstances({ account, region, fields }: Ec2Call): string {
  const { zones } = factsOf(account);
  const key = fields['Filter.1.Name'] === 'tag-key' ? fields['Filter.1.Value.1'] : undefined;
  const shown = account.vms
    .visible()
    .filter((vm) => vm.region === region)
    .filter(({ tags }) => key === undefined || tags.some((tag) => tag.key === key));
  return list(
    'reservationSet',
    shown.map((vm) => list('instancesSet', [instanceForm(vm, zones.get(vm.id) ?? '')])),
  );
}

function runInstances({ account, region, fields }: Ec2Call): string {
  const { tokens, zones } = factsOf(account);
  const { ClientToken: token = '', ...others } = fields;
  const request = JSON.stringify(Object.entries(others).sort());
  const earlier = tokens.get(token);
  if (earlier && earlier.request !== request) {
    throw new Refusal('conflict', 'the token was used for another order');
  }
  if (earlier) return list('instancesSet', [text('instanceId', earlier.id)]);
  const vm = account.vms.create({
    type: account.requireType(fields.InstanceType ?? ''),
    ...{ region, keys: [], image: fields.ImageId ?? '', name: '', tags: tagsOf(fields) },
    userData: Buffer.from(fields.UserData ?? '', 'base64').toString(),
    isPublic: fields['NetworkInterface.1.AssociatePublicIpAddress'] === 'true',
  });
  tokens.set(token, { request, id: vm.id });
  zones.set(vm.id, (fields['NetworkInterface.1.SubnetId'] ?? '').replace('subnet-', ''));
  return list('instancesSet', [text('instanceId', vm.id)]);
}

function tagsOf(fields: Fields): readonly CloudTag[] {
  const tag = 'TagSpecification.1.Tag';
  const values = listed(fields, tag, 'Value');
  return listed(fields, tag, 'Key').map((key, at) => ({ key, value: values[at] ?? '' }));
}

function terminateInstances({ account, fields }: Ec2Call): string {
  const { zones } = factsOf(account);
  const items = listed(fields, 'InstanceId').map((id) => {
    const isGone = zones.has(id) && account.vms.get(id) === null;
    const before = isGone ? 'terminated' : account.vms.require(id).state;
    if (!isGone) account.vms.end(id);
    return `<instanceId>${id}</instanceId><previousState><name>${before}</name></previousState>`;
  });
  return list('instancesSet', items);
}

function createGroup({ account, fields: { GroupName: name = '' } }: Ec2Call): string {
  const { groups } = factsOf(account);
  if (groups.has(name)) throw new Refusal('conflict', `there is a group ${name}`);
  const id = `sg-${groups.size + 1}`;
  groups.set(name, id);
  return text('groupId', id);
}

function describeGroups({ account }: Ec2Call): string {
  const groups = [...factsOf(account).groups];
  return list(
    'securityGroupInfo',
    groups.map(([name, id]) => text('groupId', id) + text('groupName', name)),
  );
}

function offerings({ account, region }: Ec2Call): string {
  const items = account.catalog.types.flatMap(({ name }) =>
    zonesOf(region).map((zone) => text('instanceType', name) + text('location', zone)),
  );
  return list('instanceTypeOfferingSet', items);
}
