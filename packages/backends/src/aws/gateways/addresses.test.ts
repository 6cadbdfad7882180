import { expect, it } from 'vitest';
import type { Ec2 } from '../ec2.ts';
import { type XmlNode, xmlOf } from '../xml.ts';
import { Addresses } from './addresses.ts';

const PLACE = { gateway: 'g', replica: 0, server: 'server' };
const ORDER = {
  owner: { server: 'server', project: 'main', fleet: '', instance: 'edge-0' },
  tags: {},
};
const SECOND_MS = 1000;

const node = (text: string): XmlNode => {
  const found = xmlOf(text);
  if (!found) throw new Error('this is not XML');
  return found;
};

/** EC2 whose lists are as late as the test wants. */
function world() {
  let now = 0;
  let listed = '';
  let count = 0;
  const ec2 = {
    region: 'eu-1',
    pages: async () => [node(`<Answer><addressesSet>${listed}</addressesSet></Answer>`)],
    change: async (action: string) => {
      if (action === 'ReleaseAddress') return node('<Answer/>');
      count += 1;
      const id = `<allocationId>a-${count}</allocationId>`;
      return node(`<Answer>${id}<publicIp>192.0.2.${count}</publicIp></Answer>`);
    },
  } as unknown as Ec2;
  const addresses = new Addresses({ ec2, tags: {}, now: () => now });
  return {
    addresses,
    ensure: async () => (await addresses.ensure(PLACE, ORDER)).id,
    pass: (ms: number) => {
      now += ms;
    },
    list: (items: string) => {
      listed = items;
    },
  };
}

it('an address that lists do not contain yet is not allocated a second time', async () => {
  const { addresses, ensure, pass, list } = world();
  expect(await Promise.all([ensure(), ensure()])).toEqual(['a-1', 'a-1']);
  pass(29 * SECOND_MS);
  expect(await ensure()).toBe('a-1');
  list('<item><allocationId>a-1</allocationId><publicIp>192.0.2.1</publicIp></item>');
  pass(3600 * SECOND_MS);
  expect(await ensure()).toBe('a-1');
  // A user has deleted it.
  list('');
  expect(await ensure()).toBe('a-2');
  await addresses.release('a-2');
  expect(await ensure()).toBe('a-3');
});

it('an address that is used comes first, also one of a machine that is unknown', async () => {
  const { addresses, list } = world();
  const item = (id: string, more: string) =>
    `<item><allocationId>${id}</allocationId><publicIp>192.0.2.1</publicIp>${more}</item>`;
  list(item('a-1', '') + item('a-2', '<associationId>eipassoc-1</associationId>'));
  const found = await addresses.of(PLACE);
  expect(found.map(({ id, isUsed }) => [id, isUsed])).toEqual([
    ['a-2', true],
    ['a-1', false],
  ]);
});
