import type { Backend } from '@dstack/backends';
import { expect, it } from 'vitest';
import { whileHealthy } from './while-healthy.ts';

const offer = { backend: 'local', availability: 'available' };
const backend = { name: 'local', offers: async () => [offer] } as unknown as Backend;

it.each([
  ['nothing is known of it', null, 'available'],
  ['its checks pass', 'healthy', 'available'],
  ['one of its checks warns', 'warning', 'available'],
  ['one of its checks fails', 'failure', 'not_available'],
])('the server’s machine has room for instances or not: %s', async (_, status, availability) => {
  const checks = [{ name: 'gpu', status, message: null }];
  const health = async () => (status === null ? null : { checks });
  const store = { hosts: { health } } as never;
  const offers = await whileHealthy(backend, { store, hostId: 'local' }).offers({} as never);
  expect(offers).toEqual([{ ...offer, availability }]);
});
