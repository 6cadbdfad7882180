import { expect, test } from 'vitest';
import type { Cli, Connection } from '../context.ts';
import { prepareRepo } from './prepare.ts';

/** The arguments of the command line must be checked before anything else is read. */
function prepare(more: { readonly branch?: string; readonly hash?: string }): Promise<unknown> {
  const flags = { repo: 'https://x/y', branch: null, hash: null, token: null, gitIdentity: null };
  const cli = { args: [] as readonly string[] } as Cli;
  return prepareRepo({ type: 'task' } as never, { ...flags, ...more }, '/', {} as Connection, cli);
}

test.each([
  [{ hash: '--upload-pack=id' }, /^--repo-hash must be a commit hash/],
  [{ hash: 'main' }, /for a branch use 'branch'/],
  [{ branch: 'a..b' }, /^--repo-branch must be the name of a Git branch, got 'a..b'$/],
])('%j on the command line is refused before any request', async (flags, message) => {
  await expect(prepare(flags)).rejects.toThrow(message);
});
