/** The rights that the adapter needs; the policy in `docs/backends.md` is made from this list. */
import type { AwsParameters } from './form.ts';

export interface AwsRight {
  /** The name of the right in policies. */
  readonly action: string;
  /** Parameters of a rehearsal; null = it cannot be rehearsed, and is tried in another way. */
  readonly rehearsal: AwsParameters | null;
  /** The feature that needs it, such as `gateways with load balancers`; omitted = every backend needs it. */
  readonly onlyFor?: string;
}

const ADDRESSES = { onlyFor: 'gateways at elastic addresses' };
const BALANCERS = { onlyFor: 'gateways with load balancers' };

const NO_VPC = 'vpc-00000000000000000';
const NO_ADDRESS = 'eipalloc-00000000000000000';
const NO_GROUP = 'sg-00000000000000000';
const NO_INSTANCE = 'i-00000000000000000';
const SSH = [{ IpProtocol: 'tcp', FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: '0.0.0.0/0' }] }];

/** Lets no user in. */
const PUBLIC_KEY = Buffer.from(
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5kO4b5m5Vb5b1c0z3yBqzYQ0m8k5o2mP0q3wq1c9yH',
).toString('base64');
const VOLUME = { VolumeId: 'vol-00000000000000000', InstanceId: NO_INSTANCE };

/** The rights of EC2, in the order of the alphabet. */
export const EC2_PERMISSIONS: readonly AwsRight[] = [
  { action: 'ec2:AllocateAddress', rehearsal: { Domain: 'vpc' }, ...ADDRESSES },
  {
    action: 'ec2:AssociateAddress',
    rehearsal: { AllocationId: NO_ADDRESS, InstanceId: NO_INSTANCE },
    ...ADDRESSES,
  },
  { action: 'ec2:AttachVolume', rehearsal: { ...VOLUME, Device: '/dev/sdf' } },
  {
    action: 'ec2:AuthorizeSecurityGroupEgress',
    rehearsal: { GroupId: NO_GROUP, IpPermissions: SSH },
  },
  {
    action: 'ec2:AuthorizeSecurityGroupIngress',
    rehearsal: { GroupId: NO_GROUP, IpPermissions: SSH },
  },
  {
    action: 'ec2:CreatePlacementGroup',
    rehearsal: { GroupName: 'dstack-check', Strategy: 'cluster' },
  },
  {
    action: 'ec2:CreateSecurityGroup',
    rehearsal: { GroupName: 'dstack-check', GroupDescription: 'dstack', VpcId: NO_VPC },
  },
  {
    action: 'ec2:CreateTags',
    rehearsal: { ResourceId: [NO_INSTANCE], Tag: [{ Key: 'dstack-check', Value: '' }] },
  },
  {
    action: 'ec2:CreateVolume',
    rehearsal: { AvailabilityZone: 'us-east-1a', Size: 1, VolumeType: 'gp3' },
  },
  { action: 'ec2:DeleteKeyPair', rehearsal: { KeyName: 'dstack-check' } },
  { action: 'ec2:DeletePlacementGroup', rehearsal: { GroupName: 'dstack-check' } },
  { action: 'ec2:DeleteVolume', rehearsal: { VolumeId: VOLUME.VolumeId } },
  { action: 'ec2:DescribeAddresses', rehearsal: {}, ...ADDRESSES },
  { action: 'ec2:DescribeCapacityReservations', rehearsal: {} },
  { action: 'ec2:DescribeImages', rehearsal: { Owner: ['self'] } },
  { action: 'ec2:DescribeInstanceTypeOfferings', rehearsal: {} },
  // All types would be an answer of megabytes.
  { action: 'ec2:DescribeInstanceTypes', rehearsal: { InstanceType: ['t3.micro'] } },
  { action: 'ec2:DescribeInstances', rehearsal: {} },
  { action: 'ec2:DescribeKeyPairs', rehearsal: {} },
  { action: 'ec2:DescribePlacementGroups', rehearsal: {} },
  { action: 'ec2:DescribeRouteTables', rehearsal: {} },
  { action: 'ec2:DescribeSecurityGroups', rehearsal: {} },
  { action: 'ec2:DescribeSpotPriceHistory', rehearsal: {} },
  { action: 'ec2:DescribeSubnets', rehearsal: {} },
  { action: 'ec2:DescribeVolumes', rehearsal: {} },
  { action: 'ec2:DescribeVpcs', rehearsal: {} },
  { action: 'ec2:DetachVolume', rehearsal: VOLUME },
  {
    action: 'ec2:ImportKeyPair',
    rehearsal: { KeyName: 'dstack-check', PublicKeyMaterial: PUBLIC_KEY },
  },
  { action: 'ec2:ReleaseAddress', rehearsal: { AllocationId: NO_ADDRESS }, ...ADDRESSES },
  // By the image and type of a real order: see `check.ts`.
  { action: 'ec2:RunInstances', rehearsal: null },
  { action: 'ec2:TerminateInstances', rehearsal: { InstanceId: [NO_INSTANCE] } },
];

const ELB = 'elasticloadbalancing';

/** Where the load balancers of an account are. */
export interface ElbPlace {
  /** Such as `aws` or `aws-cn`. */
  readonly partition: string;
  readonly region: string;
  /** Number of the account. */
  readonly account: string;
}

/**
 * The rights for load balancers before gateways. There are no rehearsals: the calls name what does not exist. It is
 * in the account and the region of the check, because AWS refuses others before it looks at rights.
 */
export function elbRights({ partition, region, account }: ElbPlace): readonly AwsRight[] {
  const arn = (rest: string) => `arn:${partition}:${ELB}:${region}:${account}:${rest}`;
  const LoadBalancerArn = arn('loadbalancer/app/dstack-check/0123456789abcdef');
  const TargetGroupArn = arn('targetgroup/dstack-check/0123456789abcdef');
  const ListenerArn = arn('listener/app/dstack-check/0123456789abcdef/0123456789abcdef');
  const targets = { TargetGroupArn, Targets: { member: [{ Id: NO_INSTANCE }] } };
  const tags = { member: [{ Key: 'dstack-check', Value: '' }] };
  const forward = { member: [{ Type: 'forward', TargetGroupArn }] };
  const rehearsals: Readonly<Record<string, AwsParameters>> = {
    AddTags: { ResourceArns: { member: [LoadBalancerArn] }, Tags: tags },
    CreateListener: { LoadBalancerArn, Protocol: 'HTTP', Port: 80, DefaultActions: forward },
    CreateLoadBalancer: {
      ...{ Name: 'dstack-check', Subnets: { member: ['subnet-00000000000000000'] } },
    },
    // A name that is refused.
    CreateTargetGroup: { Name: '-dstack-check-', Protocol: 'HTTP', Port: 80, VpcId: NO_VPC },
    DeleteListener: { ListenerArn },
    DeleteLoadBalancer: { LoadBalancerArn },
    DeleteTargetGroup: { TargetGroupArn },
    DeregisterTargets: targets,
    DescribeListeners: { LoadBalancerArn },
    DescribeLoadBalancers: {},
    DescribeTags: { ResourceArns: { member: [LoadBalancerArn] } },
    DescribeTargetGroups: {},
    DescribeTargetHealth: { TargetGroupArn },
    RegisterTargets: targets,
  };
  return Object.entries(rehearsals).map(([action, rehearsal]) => ({
    ...{ action: `${ELB}:${action}`, rehearsal, ...BALANCERS },
  }));
}

export const ELB_PERMISSIONS: readonly string[] = elbRights({
  ...{ partition: 'aws', region: 'us-east-1', account: '123456789012' },
}).map(({ action }) => action);

export const QUOTA_PERMISSION = 'servicequotas:ListServiceQuotas';
/** For a configuration with an IAM instance profile only. */
export const PROFILE_PERMISSIONS: readonly string[] = ['iam:GetInstanceProfile', 'iam:PassRole'];

/** The policy to give to the user whose key the configuration has. */
export function policyDocument(): object {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: [
          ...EC2_PERMISSIONS.map(({ action }) => action),
          ...ELB_PERMISSIONS,
          QUOTA_PERMISSION,
        ],
        Resource: '*',
      },
      { Effect: 'Allow', Action: PROFILE_PERMISSIONS, Resource: '*' },
    ],
  };
}
