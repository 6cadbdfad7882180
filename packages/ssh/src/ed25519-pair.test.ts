import ssh2 from 'ssh2';
import { expect, it } from 'vitest';
import { newEd25519Pair } from './ed25519-pair.ts';

it('makes pairs that can all be read', () => {
  const pairs = Array.from({ length: 2000 }, () => newEd25519Pair('one'));
  const unlike = pairs.filter(({ privateKey, publicKey }) => {
    const [secret, open] = [ssh2.utils.parseKey(privateKey), ssh2.utils.parseKey(publicKey)];
    if (secret instanceof Error || open instanceof Error) return true;
    const signature = secret.sign('text');
    return !(signature instanceof Buffer) || open.verify('text', signature) !== true;
  });
  expect(unlike).toEqual([]);
});
