import { expect, it } from 'vitest';
import { type ResolveAll, refuseHostRegistry } from './host-registry.ts';

const found =
  (...addresses: readonly string[]): ResolveAll =>
  async () =>
    addresses;
const unknown: ResolveAll = () => Promise.reject(new Error('ENOTFOUND'));

it.each([
  ['localhost:5000/x', found('127.0.0.1')],
  ['127.0.0.1:5000/x', unknown],
  ['[::1]:5000/x', unknown],
  ['registry.test/x', found('169.254.169.254')],
  // Docker resolves the name itself, and tries the next address where one does not answer.
  ['registry.test/x', found('198.51.100.7', '127.0.0.1')],
] as const)('refuses an image of the host: %s', async (image, resolve) => {
  await expect(refuseHostRegistry(image, resolve)).rejects.toThrow('is an address of the server');
});

it.each([
  ['busybox', unknown],
  ['registry.test/x', found('198.51.100.7', '10.0.0.3')],
  ['10.0.0.3:5000/x', unknown],
  ['proxied.test/x', unknown],
] as const)('leaves others to Docker: %s', async (image, resolve) => {
  await expect(refuseHostRegistry(image, resolve)).resolves.toBeUndefined();
});
