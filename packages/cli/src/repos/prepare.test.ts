import { expect, test } from 'vitest';
import type { Cli, Connection } from '../context.ts';
import { prepareRepo } from './prepare.ts';

/** Nothing of the rest may be looked at before the words of the command line are right. */
function prepare(more: { readonly branch?: string; readonly hash?: string }): Promise<unknown> {
  const flags = { repo: 'https://x/y', branch: null, hash: null, token: null, gitIdentity: null };
  const cli = { words: [] as readonly string[] } as Cli;
  return prepareRepo({ type: 'task' } as never, { ...flags, ...more }, '/', {} as Connection, cli);
}

test.each([
  [{ hash: '--upload-pack=id' }, /^--repo-hash must be a commit hash/],
  [{ hash: 'main' }, /for a branch use 'branch'/],
  [{ branch: 'a..b' }, /^--repo-branch must be the name of a Git branch, got 'a..b'$/],
])('%j on the command line is refused before anything is asked for', async (flags, message) => {
  await expect(prepare(flags)).rejects.toThrow(message);
});
