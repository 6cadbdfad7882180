import { expect, it } from 'vitest';
import { BackendError } from '../../base/errors.ts';
import { Balancers } from './balancers.ts';
import type { Alb, Elb } from './elb.ts';

const ORDER = {
  owner: { server: 'server', project: 'main', fleet: '', instance: 'edge-0' },
  ...{ gateway: { id: 'g', name: 'edge' }, balancer: { certificateArn: null } },
  ...{ isPublic: true, tags: {} },
} as unknown as Parameters<Balancers['ensure']>[0];

/** Elastic Load Balancing as it refuses a second thing of one name. `beforeCreating`: what another server does meanwhile. */
function world(beforeCreating: (things: { alb: Alb | null; group: string | null }) => void) {
  const things: { alb: Alb | null; group: string | null } = { alb: null, group: null };
  const refuseIf = (exists: boolean) => {
    if (exists) throw new BackendError('AWS: one with this name exists, with other settings');
  };
  const elb = {
    region: 'eu-1',
    balancer: async () => things.alb,
    targetGroup: async () => things.group,
    createBalancer: async () => {
      beforeCreating(things);
      refuseIf(things.alb !== null);
      return null;
    },
    createTargetGroup: async () => {
      beforeCreating(things);
      refuseIf(things.group !== null);
      return null;
    },
    listeners: async () => [],
    change: async () => null,
  } as unknown as Elb;
  const networks = () =>
    ({
      network: async () => ({ vpc: 'vpc-1', subnets: [{ id: 'a' }, { id: 'b' }] }),
      group: async () => 'sg-1',
    }) as never;
  return new Balancers({ elb, networks, tags: {} });
}

it('a load balancer that another server makes at the same moment is used by both', async () => {
  const alb = { arn: 'arn:alb', name: 'x', hostname: 'x.elb.example', state: 'active' };
  const balancers = world((things) => {
    things.alb = alb;
    things.group = 'arn:group';
  });
  expect(await balancers.ensure(ORDER)).toEqual({
    ...{ hostname: 'x.elb.example', isActive: true, targetGroup: 'arn:group' },
  });
});

it('an answer without an identifier is none', async () => {
  await expect(world(() => {}).ensure(ORDER)).rejects.toThrow('without an identifier');
});
