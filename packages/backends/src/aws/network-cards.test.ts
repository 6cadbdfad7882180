import { expect, it } from 'vitest';
import { type CardsOrder, interfacesOf } from './network-cards.ts';

const ORDER: CardsOrder = {
  ...{ type: 'p5.48xlarge', efa: 32, subnet: 'subnet-1', group: 'sg-1', isPublic: false },
};
const typesOf = (order: Partial<CardsOrder>) =>
  interfacesOf({ ...ORDER, ...order }).map(({ InterfaceType: type = 'interface' }) => type);

it('machines of a private cluster have an interface of EFA on each card', () => {
  const cards = interfacesOf(ORDER);
  expect(cards).toHaveLength(32);
  expect(cards[0]).toEqual({
    ...{ DeviceIndex: 0, InterfaceType: 'efa', AssociatePublicIpAddress: false },
    ...{ SubnetId: 'subnet-1', SecurityGroupId: ['sg-1'], DeleteOnTermination: true },
  });
  expect(cards[5]).toMatchObject({
    ...{ NetworkCardIndex: 5, DeviceIndex: 1, InterfaceType: 'efa-only' },
  });
  expect(typesOf({}).filter((type) => type === 'efa')).toHaveLength(8);
  expect(typesOf({ type: 'p4d.24xlarge', efa: 4 })).toEqual([
    ...['efa', 'efa-only', 'efa-only', 'efa-only'],
  ]);
  const plainFirst = typesOf({ type: 'p6-b300.48xlarge', efa: 17 });
  expect([plainFirst[0], plainFirst.length]).toEqual(['interface', 18]);
});

it('machines with a public address have one interface, with EFA where their type has it', () => {
  expect(typesOf({ isPublic: true })).toEqual(['efa']);
  expect(typesOf({ isPublic: true, type: 'p6-b300.48xlarge', efa: 17 })).toEqual(['interface']);
  expect(interfacesOf({ ...ORDER, isPublic: true })[0]).toMatchObject({
    AssociatePublicIpAddress: true,
  });
});

it('machines without EFA have one plain interface', () => {
  expect(typesOf({ efa: 0 })).toEqual(['interface']);
  expect(typesOf({ efa: 0, isPublic: true })).toEqual(['interface']);
});
