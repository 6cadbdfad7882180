/**
 * Network interfaces of a machine. Machines of a cluster get interfaces of EFA, by which GPUs of several machines
 * exchange data, in the arrangement of dstack 0.22.5.
 */
import type { AwsParameters } from './form.ts';

export interface CardsOrder {
  /** Such as `p5.48xlarge`. */
  readonly type: string;
  /** How many interfaces of EFA the type can have; 0 = none, or the machine is in no cluster. */
  readonly efa: number;
  readonly subnet: string;
  /** Id of the security group. */
  readonly group: string;
  /** Whether it gets a public address, which EC2 gives to machines with a single interface only. */
  readonly isPublic: boolean;
}

/** Its first card has no EFA. */
const PLAIN_FIRST = 'p6-b300.48xlarge';
/** Each fourth card also has an address of its own. */
const WITH_ADDRESSES = 'p5.48xlarge';
const ADDRESS_EVERY = 4;

export function interfacesOf(order: CardsOrder): readonly AwsParameters[] {
  const { type, efa, isPublic, subnet, group } = order;
  const common = { SubnetId: subnet, SecurityGroupId: [group], DeleteOnTermination: true };
  const isPlainFirst = type === PLAIN_FIRST;
  const first = {
    ...{ DeviceIndex: 0, ...common, AssociatePublicIpAddress: isPublic },
    ...(efa > 0 && !isPlainFirst && { InterfaceType: 'efa' }),
  };
  if (isPublic) return [first];
  const cards = Array.from({ length: isPlainFirst ? efa : efa - 1 }, (_, at) => at + 1);
  const others = cards.map((card) => ({
    ...{ NetworkCardIndex: card, DeviceIndex: 1, ...common },
    InterfaceType: type === WITH_ADDRESSES && card % ADDRESS_EVERY === 0 ? 'efa' : 'efa-only',
  }));
  return [first, ...others];
}
