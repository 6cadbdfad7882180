import { expect, it } from 'vitest';
import { generateHostKey, isKey, publicKeyOf } from './host-key.ts';

it('makes a key of its own each time, with a public half as in known_hosts', () => {
  const [one, other] = [publicKeyOf(generateHostKey()), publicKeyOf(generateHostKey())];
  expect(one).toMatch(/^ssh-ed25519 [A-Za-z0-9+/]+=*$/);
  expect(other).not.toBe(one);
});

it('makes keys of which every one can be read', () => {
  const keys = Array.from({ length: 2000 }, generateHostKey);
  expect(keys.filter((key) => !isKey(key))).toEqual([]);
});

it('recognises what is not a key', () => {
  expect(() => publicKeyOf('none')).toThrow();
});
