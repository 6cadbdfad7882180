import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RemoteRepoCreds } from '@dstack/contract/wire';
import { readIfThere } from '../config/config-file.ts';
import type { Cli } from '../context.ts';
import { CliError } from '../errors.ts';
import { lookUpHost } from '../ssh/user-config.ts';
import { git } from './git.ts';
import { httpsUrl, type RepoUrl, sshUrl } from './repo-id.ts';

export interface CredentialSources {
  readonly token: string | null;
  readonly gitIdentity: string | null;
  readonly stored: RemoteRepoCreds | null;
}

const PROBE_TIMEOUT_MS = 20_000;

/**
 * Finds credentials with which the repository can be read, by trying: none, a key given or stored,
 * a token given or stored, the key of `~/.ssh/config`, the token of the `gh` command, `~/.ssh/id_rsa`.
 */
export async function findCredentials(
  repo: RepoUrl,
  sources: CredentialSources,
  cli: Pick<Cli, 'home' | 'env'>,
): Promise<RemoteRepoCreds> {
  for await (const creds of candidates(repo, sources, cli)) {
    if (await canRead(creds, cli)) return creds;
  }
  throw new CliError(`Cannot access the repository ${httpsUrl(repo)}`, {
    why: 'neither without credentials nor with any that were found',
    next: 'pass --token TOKEN or --git-identity FILE (dstack init -P PATH_OR_URL keeps them)',
  });
}

async function* candidates(
  repo: RepoUrl,
  { token, gitIdentity, stored }: CredentialSources,
  cli: Pick<Cli, 'home' | 'env'>,
): AsyncGenerator<RemoteRepoCreds, void> {
  const https = httpsUrl(repo);
  const ssh = sshUrl(repo);
  const byKey = (key: string): RemoteRepoCreds => ({
    clone_url: ssh,
    private_key: key,
    oauth_token: null,
  });
  const byToken = (oauth: string | null): RemoteRepoCreds => ({
    clone_url: https,
    private_key: null,
    oauth_token: oauth,
  });
  if (gitIdentity !== null) yield byKey(await readFile(gitIdentity, 'utf8'));
  if (token !== null) yield byToken(token);
  yield byToken(null);
  if (stored?.private_key) yield byKey(stored.private_key);
  if (stored?.oauth_token) yield byToken(stored.oauth_token);
  const host = await lookUpHost(repo.host, cli.home);
  const identity = host?.identityFile ? await readIfThere(host.identityFile) : null;
  if (identity !== null) yield byKey(identity);
  const ghToken = await tokenOfGh(repo.host, cli.home);
  if (ghToken !== null) yield byToken(ghToken);
  const rsa = await readIfThere(join(cli.home, '.ssh', 'id_rsa'));
  if (rsa !== null) yield byKey(rsa);
}

async function tokenOfGh(host: string, home: string): Promise<string | null> {
  const text = await readIfThere(join(home, '.config', 'gh', 'hosts.yml'));
  if (text === null) return null;
  const { parse } = await import('yaml');
  try {
    const hosts = parse(text) as Record<string, { oauth_token?: unknown }> | null;
    const token = hosts?.[host]?.oauth_token;
    return typeof token === 'string' ? token : null;
  } catch {
    // Another program's file: if it cannot be read, there is no token in it for us.
    return null;
  }
}

/** Asks the remote for its refs, with all of the user's own git and askpass settings switched off. */
async function canRead(creds: RemoteRepoCreds, cli: Pick<Cli, 'home' | 'env'>): Promise<boolean> {
  const quiet = {
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '',
    SSH_ASKPASS: '',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
  };
  const run = async (url: string, env: Record<string, string>): Promise<boolean> => {
    const args = ['ls-remote', '--symref', url, 'HEAD'];
    const result = await git(args, { cwd: '/', env, timeoutMs: PROBE_TIMEOUT_MS });
    return result.code === 0;
  };
  if (!creds.private_key) {
    const url = new URL(creds.clone_url);
    if (creds.oauth_token) {
      url.username = 'anything';
      url.password = creds.oauth_token;
    }
    return run(url.href, quiet);
  }
  const { withTemporaryKey } = await import('../ssh/identity.ts');
  return withTemporaryKey(creds.private_key, (path) => {
    const options =
      '-o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null';
    const ssh = `${cli.env.DSTACK_SSH_CLIENT || 'ssh'} -F none -i ${path} -o BatchMode=yes ${options}`;
    return run(creds.clone_url, { ...quiet, GIT_SSH_COMMAND: ssh });
  });
}
