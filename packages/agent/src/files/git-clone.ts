import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RepoForAgent } from '@dstack/contract/agent';
import { JobFailure } from '../jobs/executor.ts';

export interface CloneRequest {
  readonly repo: RepoForAgent;
  /** The uploaded diff, if there is one. */
  readonly code: string;
  /** An empty or missing directory, used for the clone and for what git needs on the way. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

/**
 * Clones a job's repo by the host's git, checks out what was asked for and applies the diff.
 * Returns the directory of the clone. Nothing of the host's or the repo's own git configuration
 * takes part, and no credential stays in the clone. Throws `JobFailure`.
 */
export async function cloneRepo(request: CloneRequest): Promise<string> {
  const { repo, scratch } = request;
  await rm(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true, mode: 0o700 });
  const dir = join(scratch, 'repo');
  const git = await gitRunner(request, dir);
  try {
    await git(scratch, cloneArgs(repo, dir));
    await checkOut(git, dir, repo);
    if (repo.config_name) await git(dir, ['config', 'user.name', repo.config_name]);
    if (repo.config_email) await git(dir, ['config', 'user.email', repo.config_email]);
    if (existsSync(request.code) && statSync(request.code).size > 0) {
      await git(dir, ['apply', '--whitespace=nowarn', request.code]);
    }
    return dir;
  } catch (error) {
    request.signal.throwIfAborted();
    throw repoFailure(error instanceof Error ? error.message : String(error));
  }
}

export function repoFailure(why: string): JobFailure {
  return new JobFailure('container_exited_with_error', `Failed to set up the repo (${why})`);
}

/** Of a job whose repo may not be left out where its directory has something in it. */
export function repoNotEmpty(dir: string): JobFailure {
  return repoFailure(
    `${dir} exists and is not empty: set the repo’s path to another directory, or if_exists to skip`,
  );
}

type Git = (cwd: string, args: readonly string[]) => Promise<string>;

function cloneArgs(repo: RepoForAgent, dir: string): string[] {
  if (!repo.clone_url) throw new Error('no URL to clone from');
  return [
    'clone',
    '--quiet',
    '--recurse-submodules',
    ...(repo.single_branch ? ['--single-branch'] : []),
    ...(repo.branch ? [`--branch=${repo.branch}`] : []),
    '--',
    repo.clone_url,
    dir,
  ];
}

/** Stays on the branch when its head is the commit asked for; else that commit, detached. */
async function checkOut(git: Git, dir: string, { hash, branch }: RepoForAgent): Promise<void> {
  if (!hash) return;
  const head = (await git(dir, ['rev-parse', 'HEAD'])).trim();
  if (branch && head === hash) return;
  const known = await git(dir, ['cat-file', '-e', `${hash}^{commit}`]).then(
    () => true,
    () => false,
  );
  if (!known) await git(dir, ['fetch', '--quiet', 'origin', hash]);
  await git(dir, ['checkout', '--quiet', '--detach', hash]);
  await git(dir, ['submodule', 'update', '--quiet', '--init', '--recursive']);
}

async function gitRunner({ repo, scratch, signal }: CloneRequest, dir: string): Promise<Git> {
  const config: [string, string][] = [
    ['core.hooksPath', '/dev/null'],
    ['core.fsmonitor', 'false'],
    ['core.autocrlf', 'false'],
    ['protocol.ext.allow', 'never'],
    ['safe.directory', dir],
  ];
  if (repo.oauth_token && repo.clone_url?.startsWith('http')) {
    const login = Buffer.from(`anything:${repo.oauth_token}`).toString('base64');
    // Only for this host and port: submodules and redirects elsewhere must not see the token.
    const { origin } = new URL(repo.clone_url);
    config.push([`http.${origin}/.extraHeader`, `Authorization: Basic ${login}`]);
  }
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOME: scratch,
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_COUNT: String(config.length),
    ...reachability(),
    ...(await sshEnvironment(repo, scratch)),
  };
  config.forEach(([name, value], index) => {
    env[`GIT_CONFIG_KEY_${index}`] = name;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  });
  return (cwd, args) => run(cwd, args, env, signal);
}

async function sshEnvironment(repo: RepoForAgent, scratch: string): Promise<NodeJS.ProcessEnv> {
  const options =
    '-F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null';
  if (!repo.private_key) return { GIT_SSH_COMMAND: `ssh ${options}` };
  await writeFile(join(scratch, 'key'), `${repo.private_key.trimEnd()}\n`, { mode: 0o600 });
  // Git splits this by shell rules; HOME is the scratch directory, whose path may hold spaces.
  return { GIT_SSH_COMMAND: `ssh ${options} -o IdentitiesOnly=yes -i "$HOME/key"` };
}

/** How this host reaches others: its proxies, and the authorities that it trusts beside the usual. */
function reachability(): NodeJS.ProcessEnv {
  const wanted = /^(.*_proxy|GIT_SSL_CA(INFO|PATH)|SSL_CERT_(FILE|DIR))$/i;
  const names = Object.keys(process.env).filter((name) => wanted.test(name));
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}

function run(
  cwd: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd, env, signal, maxBuffer: 16 * 1024 * 1024 };
    execFile('git', [...args], options, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        return reject(new Error('git is not installed on the host'));
      }
      reject(new Error(wordsOfGit(stderr) || error.message));
    });
  });
}

/** Git surrounds its reason with progress and advice. */
function wordsOfGit(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const reasons = lines.filter((line) => /^(fatal|error|remote):/.test(line));
  return (reasons.length > 0 ? reasons : lines).slice(0, 3).join(' ');
}
