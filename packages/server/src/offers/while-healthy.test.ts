import type { Backend } from '@dstack/backends';
import { expect, it } from 'vitest';
import { whileHealthy } from './while-healthy.ts';

const offer = { backend: 'local', availability: 'available' };
const backend = {
  name: 'local',
  offers: async () => ({ offers: [offer], notes: [] }),
} as unknown as Backend;

const NOTE = "the server's machine fails its health checks (gpu: GPU 1 is lost)";

it.each([
  ['nothing is known of it', null, 'available', []],
  ['its checks pass', 'healthy', 'available', []],
  ['one of its checks warns', 'warning', 'available', []],
  ['one of its checks fails', 'failure', 'not_available', [NOTE]],
])(
  'the server’s machine has room for instances or not: %s',
  async (_, status, availability, notes) => {
    const checks = [{ name: 'gpu', status, message: 'GPU 1 is lost' }];
    const health = async () => (status === null ? null : { checks });
    const store = { hosts: { health } } as never;
    const answer = await whileHealthy(backend, { store, hostId: 'local' }).offers({} as never);
    expect(answer).toEqual({ offers: [{ ...offer, availability }], notes });
  },
);
