import ssh2 from 'ssh2';
import { expect, it } from 'vitest';
import { newEd25519Pair } from './ed25519-pair.ts';

it('makes pairs that can all be read', () => {
  const pairs = Array.from({ length: 2000 }, () => newEd25519Pair('one'));
  const halves = pairs.flatMap(({ privateKey, publicKey }) => [privateKey, publicKey]);
  const unreadable = halves.filter((half) => ssh2.utils.parseKey(half) instanceof Error);
  expect(unreadable).toEqual([]);
});
