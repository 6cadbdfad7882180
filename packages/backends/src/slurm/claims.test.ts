import { expect, it } from 'vitest';
import { fileClaims } from './claims.ts';

/** A login node whose scripts print the text. */
const printing = (text: string) =>
  fileClaims([{ login: { script: async () => text as never, checked: () => text } }]).read({
    server: 'ours',
  } as never);

it('claims are read with the time of the cluster', async () => {
  expect(await printing('a 1 10\nb 2 20\n')).toEqual([
    { claimant: 'a', nonce: '1', renewedAt: 10_000_000 },
    { claimant: 'b', nonce: '2', renewedAt: 20_000_000 },
  ]);
  expect(await printing('')).toEqual([]);
});

it.each(['a  10', 'a 1', 'a 1 2 10', '* 1 10', 'a 1\n2 10'])(
  'a claim that cannot be read (%j) is no reason to end jobs of its server',
  async (text) => {
    await expect(printing(`${text}\n`)).rejects.toThrow('claim');
  },
);
