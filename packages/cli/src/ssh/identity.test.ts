import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Cli, Connection } from '../context.ts';
import { withDirectory } from '../testing/run-command.ts';
import { identityForRun, userKeyPath } from './identity.ts';

const TOKEN = 'token';

/** A user with a new key pair on the server, whose old pair was downloaded just now. */
function withOldKey<T>(work: (open: (publicKey: string) => Promise<string>) => Promise<T>) {
  return withDirectory(async (home) => {
    const path = userKeyPath(TOKEN, home);
    await mkdir(join(home, '.dstack', 'ssh'), { recursive: true });
    await writeFile(path, 'old private');
    await writeFile(`${path}.pub`, 'ssh-rsa OLD\n');
    const user = { ssh_private_key: 'new private', ssh_public_key: 'ssh-rsa NEW\n' };
    const connection = {
      address: { token: TOKEN },
      client: { users: { getMyUser: async () => user } },
    } as unknown as Connection;
    const cli = { home, ownNow: () => Date.now() } as unknown as Cli;
    return work((publicKey) => identityForRun(publicKey, connection, cli));
  });
}

test('a replaced key pair is downloaded again when a run was submitted with the new one', () =>
  withOldKey(async (open) => {
    expect(await readFile(await open('ssh-rsa OLD'), 'utf8')).toBe('old private');
    expect(await readFile(await open('ssh-rsa NEW'), 'utf8')).toBe('new private');
  }));

test("a run with another user's key is still refused", () =>
  withOldKey(async (open) => {
    await expect(open('ssh-rsa OTHER')).rejects.toThrow('submitted with another SSH key');
  }));
