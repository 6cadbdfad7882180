import { chownSync, fstatSync, mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { RepoForAgent } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { Problem, parseBranch, parseCommitHash, parseGitUrl } from '@dstack/contract/git';
import { JobFailure } from '../executor/job-failure.ts';
import type { CloneGuard } from './clone-guard.ts';
import { withinLimits } from './clone-limits.ts';
import type { CloneUser } from './clone-place.ts';
import { GitRunner } from './git-runner.ts';
import { fetchLfsFiles } from './lfs/lfs-files.ts';

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

/**
 * Clones a job's repo with the host's git, checks out the requested commit, applies the diff, and
 * replaces the pointers of Git LFS by their files, within the limits of the server.
 * The git configurations of the host and of the repo are ignored, credentials of the host are not
 * used, and those of the repo do not stay in the clone. Throws `JobFailure`.
 */
export async function cloneRepo(request: CloneRequest): Promise<void> {
  const { repo, dir, home, user, guard } = request;
  await rm(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true, mode: 0o700 });
  if (user) chownSync(home, user.uid, user.gid);
  try {
    checkRepo(repo);
    await withinLimits({ ...request, limits: repo.limits, dirs: [dir, home] }, (signal) =>
      clone({ ...request, signal }),
    );
  } catch (error) {
    request.signal.throwIfAborted();
    throw repoFailure(guard?.refusal ?? errorMessage(error));
  } finally {
    // With its place, by its user.
    if (user === null) await rm(home, { recursive: true, force: true });
  }
}

async function clone(request: CloneRequest): Promise<void> {
  const { repo, dir, home, code } = request;
  const runner = await GitRunner.open(request);
  await runner.git(home, cloneArgs(repo, dir));
  await checkOut(runner, dir, repo);
  await setIdentity(runner, dir, repo);
  if (code !== null && fstatSync(code).size > 0) {
    await runner.git(dir, ['apply', '--whitespace=nowarn', '-'], code);
  }
  if (!repo.skip_lfs) await fetchLfsFiles({ runner, repo, dir, signal: request.signal });
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

async function setIdentity(runner: GitRunner, dir: string, repo: RepoForAgent): Promise<void> {
  const { config_name: name, config_email: email } = repo;
  const set = ['config', '--local', '--end-of-options'];
  if (name) await runner.git(dir, [...set, 'user.name', name]);
  if (email) await runner.git(dir, [...set, 'user.email', email]);
}

/**
 * Stays on the branch if its head is the requested commit; else checks that commit out, detached.
 */
async function checkOut(
  runner: GitRunner,
  dir: string,
  { hash, branch }: RepoForAgent,
): Promise<void> {
  if (hash) await checkOutCommit(runner, dir, hash, branch);
  await runner.git(dir, ['submodule', '--quiet', 'update', '--init', '--recursive']);
}

async function checkOutCommit(
  runner: GitRunner,
  dir: string,
  hash: string,
  branch: string | null,
): Promise<void> {
  const head = (await runner.git(dir, ['rev-parse', 'HEAD'])).trim();
  if (branch && head === hash) return;
  const known = await runner
    .git(dir, ['cat-file', '-e', '--end-of-options', `${hash}^{commit}`])
    .then(
      () => true,
      () => false,
    );
  if (!known) await runner.git(dir, ['fetch', '--quiet', '--end-of-options', 'origin', hash]);
  // Before Git 2.44 `checkout` interprets `--end-of-options` as a path. The hash has only hex
  // digits.
  await runner.git(dir, ['checkout', '--quiet', '--detach', hash]);
}
