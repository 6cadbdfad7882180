import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage } from '@dstack/contract/error-message';
import type { RemoteRepoCreds } from '@dstack/contract/wire';
import { readIfThere } from '../config/config-file.ts';
import type { Cli } from '../context.ts';
import { CliError } from '../errors.ts';
import { lookUpHost } from '../ssh/user-config.ts';
import { type GitResult, git } from './git.ts';
import { httpUrl, type RepoUrl, sshUrl } from './repo-id.ts';

export interface CredentialSources {
  readonly token: string | null;
  readonly gitIdentity: string | null;
  readonly stored: RemoteRepoCreds | null;
}

const PROBE_TIMEOUT_MS = 20_000;

/**
 * Finds credentials that can read the repository, by trying in order: none, a key given or stored,
 * a token given or stored, the key of `~/.ssh/config`, the token of the `gh` command,
 * `~/.ssh/id_rsa`.
 */
export async function findCredentials(
  repo: RepoUrl,
  sources: CredentialSources,
  cli: Pick<Cli, 'home' | 'env'>,
): Promise<RemoteRepoCreds> {
  const tried: string[] = [];
  for await (const { name, creds } of candidates(repo, sources, cli)) {
    const problem = await whyUnreadable(creds, cli);
    if (problem === null) return creds;
    tried.push(`  ${name}, ${creds.clone_url}: ${problem}\n`);
  }
  throw new CliError(`Cannot access the repository ${repo.fullPath} of ${repo.host}`, {
    excerpt: tried.join(''),
    next: 'pass --token TOKEN or --git-identity FILE (dstack init -P PATH_OR_URL stores them)',
  });
}

interface Candidate {
  /** Its origin, for messages: `with …`. */
  readonly name: string;
  readonly creds: RemoteRepoCreds;
}

async function* candidates(
  repo: RepoUrl,
  { token, gitIdentity, stored }: CredentialSources,
  cli: Pick<Cli, 'home' | 'env'>,
): AsyncGenerator<Candidate, void> {
  const byKey = (name: string, private_key: string): Candidate => ({
    name,
    creds: { clone_url: sshUrl(repo), private_key, oauth_token: null },
  });
  const byToken = (name: string, oauth_token: string | null): Candidate => ({
    name,
    creds: { clone_url: httpUrl(repo), private_key: null, oauth_token },
  });
  if (gitIdentity !== null) {
    yield byKey(`with the key ${gitIdentity}`, await readKey(gitIdentity));
  }
  if (token !== null) yield byToken('with the token given', token);
  yield byToken('without credentials', null);
  if (stored?.private_key) yield byKey('with the key of `dstack init`', stored.private_key);
  // A token crosses the network in clear text only if it was given for this very URL.
  const isClear = repo.protocol === 'http';
  const mayUse = !isClear || stored?.clone_url === httpUrl(repo);
  if (stored?.oauth_token && mayUse)
    yield byToken('with the token of `dstack init`', stored.oauth_token);
  const identityFile = (await lookUpHost(repo.host, cli.home))?.identityFile;
  const identity = identityFile ? await readIfThere(identityFile) : null;
  if (identity !== null) yield byKey(`with the key ${identityFile} of ~/.ssh/config`, identity);
  const ghToken = isClear ? null : await tokenOfGh(repo.host, cli.home);
  if (ghToken !== null) yield byToken('with the token of `gh`', ghToken);
  const rsa = await readIfThere(join(cli.home, '.ssh', 'id_rsa'));
  if (rsa !== null) yield byKey('with the key ~/.ssh/id_rsa', rsa);
}

async function readKey(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new CliError(`Cannot read the key ${path}`, {
      why: errorMessage(error),
      next: 'correct --git-identity',
      cause: error,
    });
  }
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
    // The file belongs to another program: if it cannot be read, it has no token for us.
    return null;
  }
}

/**
 * Requests the refs of the remote, with all of the user's own git and askpass settings switched
 * off. Null if the remote answers; otherwise the error of git.
 */
async function whyUnreadable(
  creds: RemoteRepoCreds,
  cli: Pick<Cli, 'home' | 'env'>,
): Promise<string | null> {
  const quiet = {
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '',
    SSH_ASKPASS: '',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ALLOW_PROTOCOL: 'https:http:ssh',
  };
  const run = async (url: string, env: Record<string, string>): Promise<string | null> => {
    const args = ['ls-remote', '--symref', '--', url, 'HEAD'];
    const result = await git(args, { cwd: '/', env, timeoutMs: PROBE_TIMEOUT_MS });
    return result.code === 0 ? null : gitErrorMessage(result, creds.oauth_token);
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
      '-o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR';
    const ssh = `${cli.env.DSTACK_SSH_CLIENT || 'ssh'} -F none -i ${path} -o BatchMode=yes ${options}`;
    return run(creds.clone_url, { ...quiet, GIT_SSH_COMMAND: ssh });
  });
}

/** The first line: git's general advice comes after it. */
function gitErrorMessage({ stderr, signal }: GitResult, token: string | null): string {
  if (signal !== null) return `no answer within ${PROBE_TIMEOUT_MS / 1000} s`;
  const text = stderr.replace(/^(fatal|error|remote): |unable to access '.*?': /gm, '');
  const first = text.split('\n').find((line) => line.trim() !== '') ?? 'git printed no error';
  return token === null ? first : first.replaceAll(token, '***');
}
