import { expect, it } from 'vitest';
import type { Ec2, Ec2SecurityGroup } from './ec2.ts';
import { Networks } from './networks.ts';
import type { XmlNode } from './xml.ts';

const CHOICE = { vpcId: 'vpc-1', vpcName: null, allowsDefault: true, isPublic: true };

/** A region with one public subnet. */
function region(...existing: readonly Ec2SecurityGroup[]) {
  const groups = [...existing];
  const ec2 = {
    region: 'us-east-1',
    vpcs: async () => ['vpc-1'],
    subnets: async () => [{ id: 'subnet-1', zone: 'a' }],
    routeTables: async () => [
      {
        ...{ isMain: true, subnets: [] },
        routes: [{ to: '0.0.0.0/0', gateway: 'igw-1', isPrivate: false }],
      },
    ],
    securityGroups: async (_vpc: string, names: readonly string[]) =>
      groups.filter(({ name }) => names.includes(name)),
    change: async (action: string, { GroupName }: { readonly GroupName?: string }) => {
      const id = `sg-${groups.length + 1}`;
      if (action === 'CreateSecurityGroup') groups.push({ id, name: GroupName ?? '', tags: {} });
      return { text: () => id } as unknown as XmlNode;
    },
  };
  return new Networks(ec2 as unknown as Ec2, CHOICE, () => 0);
}

const OLD_NAME = 'dstack_security_group_a_b';

it('gives each project a security group of its own, whatever its name', async () => {
  const networks = region();
  const ids = [await networks.group('a-b', 's'), await networks.group('a_b', 's')];
  expect(ids).toEqual(['sg-1', 'sg-2']);
});

it.each(['dstack-project', 'dstack_project'])(
  'finds the security group with an old name by its tag %s, and gives it to no other project',
  async (tag) => {
    const networks = region({ id: 'old', name: OLD_NAME, tags: { [tag]: 'a-b' } });
    expect(await networks.group('a_b', 's')).toBe('sg-2');
    expect(await networks.group('a-b', 's')).toBe('old');
  },
);

it('takes a security group that a user has made under the old name', async () => {
  expect(await region({ id: 'own', name: OLD_NAME, tags: {} }).group('a-b', 's')).toBe('own');
});
