import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { CliError } from '../errors.ts';
import { git, gitText } from './git.ts';
import { parseRepoUrl, type RepoUrl } from './repo-id.ts';

/**
 * A checkout on the user's computer: the pushed commit, and how the working tree differs from it.
 */
export interface LocalRepo {
  readonly url: RepoUrl;
  readonly branch: string;
  /** Commit of the remote-tracking branch, so that unpushed commits are part of the diff. */
  readonly commit: string;
  readonly userName: string | null;
  readonly userEmail: string | null;
  readonly diff: { readonly bytes: Uint8Array; readonly hash: string } | null;
}

/**
 * The upstream of the current branch. The branch is not named, as git could take its name for an
 * option.
 */
const UPSTREAM = '@{upstream}';

export async function readLocalRepo(path: string): Promise<LocalRepo> {
  const info = await stat(path).catch(() => null);
  if (info === null) throw notUsable(path, 'there is no such path');
  if (!info.isDirectory()) throw notUsable(path, 'it is not a directory');
  const root = await gitText(path, 'rev-parse', '--show-toplevel');
  if (root === null) {
    throw notUsable(path, 'it is not a Git repository', 'use `files` to upload a plain directory');
  }
  const head = await gitText(root, 'symbolic-ref', '--short', '--quiet', 'HEAD');
  if (head === null) throw notUsable(path, 'HEAD is detached', 'git switch BRANCH');
  const tracking = await gitText(root, 'rev-parse', '--abbrev-ref', UPSTREAM);
  if (tracking === null) throw await noUpstream(path, root, head);
  const remote = (await gitText(root, 'config', `branch.${head}.remote`)) ?? 'origin';
  const merge = (await gitText(root, 'config', `branch.${head}.merge`)) ?? `refs/heads/${head}`;
  const address = await gitText(root, 'remote', 'get-url', '--', remote);
  const url = address === null ? null : parseRepoUrl(address);
  if (url === null)
    throw notUsable(path, `the URL of remote ${remote} cannot be parsed: ${address}`);
  const commit = await gitText(root, 'rev-parse', UPSTREAM);
  if (commit === null) throw notUsable(path, `${tracking} has no commit`, `git fetch ${remote}`);
  return {
    url,
    branch: merge.replace(/^refs\/heads\//, ''),
    commit,
    userName: await gitText(root, 'config', 'user.name'),
    userEmail: await gitText(root, 'config', 'user.email'),
    diff: await readDiff(root, commit),
  };
}

async function noUpstream(path: string, root: string, head: string): Promise<CliError> {
  const remotes = ((await gitText(root, 'remote')) ?? '').split('\n').filter(Boolean);
  const remote = remotes.includes('origin') ? 'origin' : remotes[0];
  if (remote === undefined) {
    const next =
      'upload the folder instead (`files: [.]`), or add a remote: git remote add origin URL';
    return notUsable(path, 'the repository has no remote from which hosts could clone it', next);
  }
  const next = `git push --set-upstream ${remote} ${head}`;
  return notUsable(path, `branch ${head} tracks no remote branch`, next);
}

/** Options for a diff that `git apply` accepts, independent of the user's settings. */
const PATCH = ['--binary', '--no-ext-diff', '--no-textconv', '--no-color'];

/** Changes since `commit`, including untracked files; null if there are none. */
async function readDiff(root: string, commit: string): Promise<LocalRepo['diff']> {
  const parts: Buffer[] = [];
  const tracked = await git(['diff', ...PATCH, commit, '--'], { cwd: root });
  if (tracked.code !== 0) {
    throw notUsable(root, `git diff failed: ${tracked.stderr.trim()}`);
  }
  parts.push(tracked.stdout);
  const list = await git(['ls-files', '--others', '--exclude-standard', '-z'], { cwd: root });
  for (const file of list.stdout.toString().split('\0').filter(Boolean)) {
    // Exit code 1 means "they differ", which is expected in a comparison with an empty file.
    const added = await git(['diff', '--no-index', ...PATCH, '--', '/dev/null', file], {
      cwd: root,
    });
    parts.push(added.stdout);
  }
  const bytes = Buffer.concat(parts);
  if (bytes.byteLength === 0) return null;
  return { bytes, hash: createHash('sha256').update(bytes).digest('hex') };
}

function notUsable(path: string, why: string, next?: string): CliError {
  return new CliError(`Cannot use ${path} as a repo`, { why, next });
}
