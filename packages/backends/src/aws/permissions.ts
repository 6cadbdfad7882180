/** The rights that the adapter needs; the policy in `docs/backends.md` is made from this list. */
import type { AwsParameters } from './form.ts';

export interface AwsRight {
  /** The name of the right in policies. */
  readonly action: string;
  /** Parameters of a rehearsal; null = it cannot be rehearsed, and is tried in another way. */
  readonly rehearsal: AwsParameters | null;
}

const NO_VPC = 'vpc-00000000000000000';
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
  { action: 'ec2:DescribeSubnets', rehearsal: {} },
  { action: 'ec2:DescribeVolumes', rehearsal: {} },
  { action: 'ec2:DescribeVpcs', rehearsal: {} },
  { action: 'ec2:DetachVolume', rehearsal: VOLUME },
  {
    action: 'ec2:ImportKeyPair',
    rehearsal: { KeyName: 'dstack-check', PublicKeyMaterial: PUBLIC_KEY },
  },
  // By the image and type of a real order: see `check.ts`.
  { action: 'ec2:RunInstances', rehearsal: null },
  { action: 'ec2:TerminateInstances', rehearsal: { InstanceId: [NO_INSTANCE] } },
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
        Action: [...EC2_PERMISSIONS.map(({ action }) => action), QUOTA_PERMISSION],
        Resource: '*',
      },
      { Effect: 'Allow', Action: PROFILE_PERMISSIONS, Resource: '*' },
    ],
  };
}
