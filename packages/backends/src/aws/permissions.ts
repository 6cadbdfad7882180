/** The rights that the adapter needs; the policy in `docs/backends.md` is made from this list. */
import type { AwsParameters } from './form.ts';

export interface AwsRight {
  /** The name of the right in policies. */
  readonly action: string;
  /** Parameters of a rehearsal; null = it cannot be rehearsed, and is tried in another way. */
  readonly rehearsal: AwsParameters | null;
}

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
  { action: 'ec2:AllocateAddress', rehearsal: { Domain: 'vpc' } },
  {
    action: 'ec2:AssociateAddress',
    rehearsal: { AllocationId: NO_ADDRESS, InstanceId: NO_INSTANCE },
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
  { action: 'ec2:DescribeAddresses', rehearsal: {} },
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
  { action: 'ec2:ReleaseAddress', rehearsal: { AllocationId: NO_ADDRESS } },
  // By the image and type of a real order: see `check.ts`.
  { action: 'ec2:RunInstances', rehearsal: null },
  { action: 'ec2:TerminateInstances', rehearsal: { InstanceId: [NO_INSTANCE] } },
];

const ELB = 'elasticloadbalancing';
const NO_BALANCER = `arn:aws:${ELB}:us-east-1:123456789012:loadbalancer/app/dstack-check/0123456789abcdef`;
const NO_TARGETS = `arn:aws:${ELB}:us-east-1:123456789012:targetgroup/dstack-check/0123456789abcdef`;
const NO_LISTENER = `${NO_BALANCER.replace(':loadbalancer/', ':listener/')}/0123456789abcdef`;
const TARGETS = { TargetGroupArn: NO_TARGETS, Targets: { member: [{ Id: NO_INSTANCE }] } };

/** The rights for load balancers before gateways. There are no rehearsals: the calls name what does not exist. */
export const ELB_PERMISSIONS: readonly AwsRight[] = [
  {
    action: `${ELB}:AddTags`,
    rehearsal: {
      ResourceArns: { member: [NO_BALANCER] },
      Tags: { member: [{ Key: 'dstack-check', Value: '' }] },
    },
  },
  {
    action: `${ELB}:CreateListener`,
    rehearsal: {
      ...{ LoadBalancerArn: NO_BALANCER, Protocol: 'HTTP', Port: 80 },
      DefaultActions: { member: [{ Type: 'forward', TargetGroupArn: NO_TARGETS }] },
    },
  },
  {
    action: `${ELB}:CreateLoadBalancer`,
    rehearsal: { Name: 'dstack-check', Subnets: { member: ['subnet-00000000000000000'] } },
  },
  // A name that is refused.
  {
    action: `${ELB}:CreateTargetGroup`,
    rehearsal: { Name: '-dstack-check-', Protocol: 'HTTP', Port: 80, VpcId: NO_VPC },
  },
  { action: `${ELB}:DeleteListener`, rehearsal: { ListenerArn: NO_LISTENER } },
  { action: `${ELB}:DeleteLoadBalancer`, rehearsal: { LoadBalancerArn: NO_BALANCER } },
  { action: `${ELB}:DeleteTargetGroup`, rehearsal: { TargetGroupArn: NO_TARGETS } },
  { action: `${ELB}:DeregisterTargets`, rehearsal: TARGETS },
  { action: `${ELB}:DescribeListeners`, rehearsal: { LoadBalancerArn: NO_BALANCER } },
  { action: `${ELB}:DescribeLoadBalancers`, rehearsal: {} },
  { action: `${ELB}:DescribeTags`, rehearsal: { ResourceArns: { member: [NO_BALANCER] } } },
  { action: `${ELB}:DescribeTargetGroups`, rehearsal: {} },
  { action: `${ELB}:DescribeTargetHealth`, rehearsal: { TargetGroupArn: NO_TARGETS } },
  { action: `${ELB}:RegisterTargets`, rehearsal: TARGETS },
];

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
          ...[...EC2_PERMISSIONS, ...ELB_PERMISSIONS].map(({ action }) => action),
          QUOTA_PERMISSION,
        ],
        Resource: '*',
      },
      { Effect: 'Allow', Action: PROFILE_PERMISSIONS, Resource: '*' },
    ],
  };
}
