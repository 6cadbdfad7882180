import { type StdioOptions, spawn } from 'node:child_process';
import { chownSync, fstatSync, lchownSync, mkdirSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { RepoForAgent } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { Problem, parseBranch, parseCommitHash, parseGitUrl } from '@dstack/contract/git';
import { JobFailure } from '../executor/job-failure.ts';
import type { CloneGuard } from './clone-guard.ts';
import type { CloneUser } from './clone-place.ts';

export interface CloneRequest {
  readonly repo: RepoForAgent;
  /** Descriptor of the uploaded diff, if there is one. */
  readonly code: number | null;
  /** The directory of the clone, which does not exist yet. */
  readonly dir: string;
  /** A temporary directory for git, removed afterwards. */
  readonly home: string;
  readonly signal: AbortSignal;
  /** Null: git may connect to whatever this process can, as the job itself does. */
  readonly guard: CloneGuard | null;
  /** Null: git runs as this process. */
  readonly user: CloneUser | null;
}

/** Transports that reach other machines: `file` would read this one, `ext` run programs on it. */
const PROTOCOLS = 'https:http:ssh:git';
/** `git` has no proxy. */
const GUARDED_PROTOCOLS = 'https:http:ssh';

/**
 * Clones a job's repo with the host's git, checks out the requested commit and applies the diff.
 * The git configurations of the host and of the repo are ignored, credentials of the host are not
 * used, and those of the repo do not stay in the clone. Throws `JobFailure`.
 */
export async function cloneRepo(request: CloneRequest): Promise<void> {
  const { repo, dir, home, code, user, guard } = request;
  await rm(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true, mode: 0o700 });
  if (user) chownSync(home, user.uid, user.gid);
  try {
    checkRepo(repo);
    const git = await gitRunner(request);
    await git(home, cloneArgs(repo, dir));
    await checkOut(git, dir, repo);
    await setIdentity(git, dir, repo);
    if (code !== null && fstatSync(code).size > 0) {
      await git(dir, ['apply', '--whitespace=nowarn', '-'], code);
    }
  } catch (error) {
    request.signal.throwIfAborted();
    throw repoFailure(guard?.refusal ?? errorMessage(error));
  } finally {
    // With its place, by its user.
    if (user === null) await rm(home, { recursive: true, force: true });
  }
}

/** The values are checked once more, because they become arguments here. */
function checkRepo({ clone_url, branch, hash }: RepoForAgent): void {
  if (clone_url === null) throw new Error('no URL to clone from');
  const problems = [
    parseGitUrl(clone_url),
    branch === null ? null : parseBranch(branch),
    hash === null ? null : parseCommitHash(hash),
  ];
  const problem = problems.find((each) => each instanceof Problem);
  if (problem instanceof Problem) throw new Error(`what to clone ${problem.message}`);
}

export function repoFailure(why: string): JobFailure {
  return new JobFailure('container_exited_with_error', `Failed to set up the repo (${why})`);
}

/** For a repo with `exists_action: error` whose directory is not empty. */
export function repoNotEmpty(dir: string): JobFailure {
  return repoFailure(
    `${dir} exists and is not empty: set the repo’s path to another directory, or if_exists to skip`,
  );
}

/** `input`: descriptor of its standard input; none by default. */
type Git = (cwd: string, args: readonly string[], input?: number) => Promise<string>;

function cloneArgs({ clone_url, branch, single_branch }: RepoForAgent, dir: string): string[] {
  return [
    'clone',
    '--quiet',
    // They are checked out later, so that a failed attempt leaves the clone.
    '--config=submodule.active=.',
    ...(single_branch ? ['--single-branch'] : []),
    ...(branch ? [`--branch=${branch}`] : []),
    '--end-of-options',
    clone_url ?? '',
    dir,
  ];
}

async function setIdentity(git: Git, dir: string, repo: RepoForAgent): Promise<void> {
  const { config_name: name, config_email: email } = repo;
  const set = ['config', '--local', '--end-of-options'];
  if (name) await git(dir, [...set, 'user.name', name]);
  if (email) await git(dir, [...set, 'user.email', email]);
}

/**
 * Stays on the branch if its head is the requested commit; else checks that commit out, detached.
 */
async function checkOut(git: Git, dir: string, { hash, branch }: RepoForAgent): Promise<void> {
  if (hash) await checkOutCommit(git, dir, hash, branch);
  await git(dir, ['submodule', '--quiet', 'update', '--init', '--recursive']);
}

async function checkOutCommit(
  git: Git,
  dir: string,
  hash: string,
  branch: string | null,
): Promise<void> {
  const head = (await git(dir, ['rev-parse', 'HEAD'])).trim();
  if (branch && head === hash) return;
  const known = await git(dir, ['cat-file', '-e', '--end-of-options', `${hash}^{commit}`]).then(
    () => true,
    () => false,
  );
  if (!known) await git(dir, ['fetch', '--quiet', '--end-of-options', 'origin', hash]);
  // Before Git 2.44 `checkout` interprets `--end-of-options` as a path. The hash has only hex
  // digits.
  await git(dir, ['checkout', '--quiet', '--detach', hash]);
}

async function gitRunner(request: CloneRequest): Promise<Git> {
  const { repo, dir, home, signal, guard, user } = request;
  const ssh = await sshCommand(request);
  const config: [string, string][] = [
    ['core.hooksPath', '/dev/null'],
    ['core.fsmonitor', 'false'],
    ['core.autocrlf', 'false'],
    ['safe.directory', dir],
  ];
  if (repo.oauth_token && repo.clone_url?.startsWith('http')) {
    const login = Buffer.from(`anything:${repo.oauth_token}`).toString('base64');
    // Only for this host and port: submodules and redirects must not send the token elsewhere.
    const { origin } = new URL(repo.clone_url);
    config.push([`http.${origin}/.extraHeader`, `Authorization: Basic ${login}`]);
  }
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOME: home,
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: guard ? GUARDED_PROTOCOLS : PROTOCOLS,
    GIT_ATTR_NOSYSTEM: '1',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_COUNT: String(config.length),
    ...(guard
      ? guard.environment(networkEnvironment(), ssh)
      : { ...networkEnvironment(), GIT_SSH_COMMAND: `${ssh} -F none` }),
  };
  config.forEach(([name, value], index) => {
    env[`GIT_CONFIG_KEY_${index}`] = name;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  });
  return async (cwd, args, input) => {
    for (;;) {
      try {
        return await run({ cwd, env, signal, user, input: input ?? 'ignore' }, args);
      } catch (error) {
        if (signal.aborted || input !== undefined || !(await guard?.resolveAsked())) throw error;
      }
    }
  };
}

/** OpenSSH finds the keys of its user without HOME, so they are disabled explicitly. */
async function sshCommand({ repo, home, user }: CloneRequest): Promise<string> {
  const options = [
    ...['BatchMode=yes', 'StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null'],
    ...['PreferredAuthentications=publickey', 'IdentityAgent=none', 'IdentitiesOnly=yes'],
  ];
  const ssh = `ssh ${options.map((option) => `-o ${option}`).join(' ')}`;
  if (!repo.private_key) return `${ssh} -o IdentityFile=none`;
  const key = join(home, 'key');
  await writeFile(key, `${repo.private_key.trimEnd()}\n`, { mode: 0o600, flag: 'wx' });
  if (user) lchownSync(key, user.uid, user.gid);
  // Git splits this by shell rules; the path of HOME may hold spaces.
  return `${ssh} -i "$HOME/key"`;
}

/** Variables for connections to other machines: proxies and additional certificate authorities. */
export function networkEnvironment(): NodeJS.ProcessEnv {
  const wanted = /^(.*_proxy|GIT_SSL_CA(INFO|PATH)|SSL_CERT_(FILE|DIR))$/i;
  const names = Object.keys(process.env).filter((name) => wanted.test(name));
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}

interface RunOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly input: number | 'ignore';
  readonly user: CloneUser | null;
}

/** Longest output of git that is kept, in bytes. */
const MAX_OUTPUT = 1024 * 1024;

/** All users of the job must be able to read the files, independently of the agent's umask. */
const OPENLY = ['-c', 'umask 022; exec "$@"', 'sh'];
const NOT_FOUND = 127;

async function run(
  { cwd, env, signal, input, user }: RunOptions,
  args: readonly string[],
): Promise<string> {
  const stdio: StdioOptions = [input, 'pipe', 'pipe'];
  const child = spawn('/bin/sh', [...OPENLY, 'git', ...args], { cwd, env, signal, stdio, ...user });
  const [output, errors, code] = await Promise.all([
    firstOf(child.stdout),
    firstOf(child.stderr),
    new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    }),
  ]);
  if (code === 0) return output;
  if (code === NOT_FOUND) throw new Error('git is not installed on the host');
  throw new Error(gitErrorMessage(errors) || `git ended with ${code}`);
}

async function firstOf(stream: Readable | null): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of stream ?? []) {
    size += piece.length;
    if (size <= MAX_OUTPUT) pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

/** Only the reason: git adds progress and advice, and the remote host can add text. */
function gitErrorMessage(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const reasons = lines.filter((line) => /^(fatal|error|remote):/.test(line));
  const message = (reasons.length > 0 ? reasons : lines).slice(0, 3).join(' ');
  return message.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 1000);
}
