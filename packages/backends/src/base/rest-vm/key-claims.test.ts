import { expect, it } from 'vitest';
import { BackendError } from '../errors.ts';
import { type KeyOfAccount, keyClaims } from './key-claims.ts';
import { MissingThingError } from './refusals.ts';

const OURS = { server: '5f0c6c1e-6e0c-4d5a-9a58-0b8a4f1f1f11' };
const HOUR = 3_600_000_000;
const WEEK = 168 * HOUR;

function account() {
  const keys = new Map<string, KeyOfAccount>();
  let count = 0;
  const state = { time: 1_800_000_000_000_000 as number | null, mayRemove: true };
  const claims = keyClaims({
    title: 'Lambda',
    list: async () => ({ keys: [...keys.values()], time: state.time }),
    add: async (name, publicKey) => {
      const id = `k${++count}`;
      keys.set(id, { id, name, publicKey });
    },
    remove: async (id) => {
      if (!state.mayRemove) throw new BackendError('you lack the scope ssh_key:delete');
      if (!keys.delete(id)) throw new MissingThingError(id);
    },
  });
  return { keys, state, claims };
}

it('a claim is a key of the account that lets no user in, with the provider’s time', async () => {
  const { keys, state, claims } = account();
  await claims.renew(OURS, { claimant: 'one', nonce: 'n-1' });
  state.time = (state.time ?? 0) + HOUR;
  expect(await claims.read(OURS)).toEqual([
    { claimant: 'one', nonce: 'n-1', renewedAt: 1_800_000_000_000_000, age: HOUR },
  ]);
  const [key] = keys.values();
  expect(key?.name).toBe('dstack-claim-n1');
  expect(key?.publicKey).toMatch(
    /^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43} dstack-claim:/,
  );
});

it('a renewal replaces the claim, and those that expired long ago', async () => {
  const { state, claims } = account();
  const renew = (claimant: string, nonce: string) => claims.renew(OURS, { claimant, nonce });
  await renew('stopped', 'n-1');
  await claims.renew({ server: 'another' }, { claimant: 'stopped', nonce: 'x-1' });
  await renew('one', 'n-2');
  await renew('one', 'n-3');
  const nonces = async () => (await claims.read(OURS)).map(({ nonce }) => nonce);
  expect(await nonces()).toEqual(['n-1', 'n-3']);
  state.time = (state.time ?? 0) + WEEK + HOUR;
  await renew('one', 'n-4');
  expect(await nonces()).toEqual(['n-4']);
  expect(await claims.read({ server: 'another' })).toHaveLength(1);
});

it('claims do not add up where the credentials may remove no key', async () => {
  const { keys, claims, state } = account();
  state.mayRemove = false;
  for (let hour = 0; hour < 9; hour++) {
    await claims.renew(OURS, { claimant: 'one', nonce: `n-${hour}` }).catch(() => {});
  }
  expect(keys.size).toBe(2);
  await expect(claims.renew(OURS, { claimant: 'one', nonce: 'n' })).rejects.toThrow(
    'ssh_key:delete',
  );
});

it('a key of a user is no claim, and a claim that cannot be read stops everything', async () => {
  const { keys, claims } = account();
  keys.set('a', { id: 'a', name: 'ada', publicKey: 'ssh-ed25519 AAAA dstack-claim:a:b:c:1' });
  expect(await claims.read(OURS)).toEqual([]);
  // The provider may drop comments.
  keys.set('b', { id: 'b', name: 'dstack-claim-1', publicKey: 'ssh-ed25519 AAAA' });
  await expect(claims.read(OURS)).rejects.toThrow('SSH key dstack-claim-1 cannot be read');
  await expect(claims.renew(OURS, { claimant: 'one', nonce: 'n' })).rejects.toThrow();
  expect(keys.size).toBe(2);
});

it('without the time of the provider nothing is known about the age of claims', async () => {
  const { state, claims } = account();
  state.time = null;
  await expect(claims.read(OURS)).rejects.toThrow('Lambda does not report its time');
});
