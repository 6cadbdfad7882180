import { expect, it } from 'vitest';
import { OpenOrders } from './open-orders.ts';

const order = { name: 'm', id: 'vm-1', operation: 'op-1', type: 'a100.1x', location: 'us-east1-a' };
const ended = (operation_id: string, code?: string) =>
  ({
    ...{ operation_id, state: code === undefined ? 'SUCCEEDED' : 'FAILED' },
    ...(code !== undefined && { result: { code, message: 'sold out' } }),
  }) as Parameters<OpenOrders['settle']>[0][number];

function stored() {
  let value: string | null = null;
  let writes = 0;
  const orders = new OpenOrders({
    factKey: 'orders',
    facts: {
      get: async () => value,
      amend: async (_key, change) => {
        const changed = change(value, 1_000_000_000);
        writes += 1;
        value = changed.value;
        return changed.result;
      },
    },
  });
  return { orders, size: () => (value ?? '').length, writes: () => writes };
}

it('a provider that reports the end of an operation again and again has it stored once', async () => {
  const { orders, size, writes } = stored();
  await orders.settle([ended('of-somebody')]);
  const [first, before] = [size(), writes()];
  for (let n = 0; n < 50; n++) await orders.settle([ended('of-somebody')]);
  expect([size(), writes()]).toEqual([first, before]);
});

it('an order that has failed keeps its reason while the end is reported again', async () => {
  const { orders, writes } = stored();
  await orders.settle([ended('op-1', 'out_of_stock')]);
  await orders.add(order);
  const failed = [{ id: 'vm-1', failure: { code: 'out_of_stock', text: 'sold out' } }];
  expect(await orders.all()).toMatchObject(failed);
  const before = writes();
  expect(await orders.settle([ended('op-1', 'out_of_stock')])).toMatchObject(failed);
  expect(writes()).toBe(before);
});
