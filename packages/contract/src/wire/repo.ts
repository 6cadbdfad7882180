/** Repos: the sources of a run's code. */
import type * as z from 'zod';
import { isMap, shorthand, tagged } from '../configuration/schema-kit.ts';
import { parseBranch, parseCommitHash, parseGitUrl } from '../grammar/git.ts';
import { literal, model, nullable, Path, PlainText, Text, textBy } from './scalars.ts';

export const RemoteRepoInfo = model({ repo_type: literal('remote'), repo_name: PlainText });
export type RemoteRepoInfo = z.infer<typeof RemoteRepoInfo>;

export const LocalRepoInfo = model({ repo_type: literal('local'), repo_dir: Path });
export type LocalRepoInfo = z.infer<typeof LocalRepoInfo>;

export const VirtualRepoInfo = model({ repo_type: literal('virtual') });
export type VirtualRepoInfo = z.infer<typeof VirtualRepoInfo>;

export const RepoInfo = tagged('repo_type', {
  remote: RemoteRepoInfo,
  local: LocalRepoInfo,
  virtual: VirtualRepoInfo,
});
export type RepoInfo = z.infer<typeof RepoInfo>;

const GitState = model({
  repo_type: literal('remote'),
  repo_name: PlainText,
  repo_branch: nullable(textBy(parseBranch)),
  repo_hash: nullable(textBy(parseCommitHash)),
  repo_config_name: nullable(PlainText),
  repo_config_email: nullable(PlainText),
});

/**
 * The state of a git repository. The diff is uploaded separately: a `repo_diff` in this model is
 * dropped.
 */
export const RemoteRunRepoData = shorthand(GitState, dropDiff, (ref) => ref(GitState));
export type RemoteRunRepoData = z.infer<typeof RemoteRunRepoData>;

function dropDiff(value: unknown): unknown {
  if (!isMap(value) || !('repo_diff' in value)) return value;
  const { repo_diff: _dropped, ...kept } = value;
  return kept;
}

export const LocalRunRepoData = model({ repo_type: literal('local'), repo_dir: Path });
export type LocalRunRepoData = z.infer<typeof LocalRunRepoData>;

export const VirtualRunRepoData = model({ repo_type: literal('virtual') });
export type VirtualRunRepoData = z.infer<typeof VirtualRunRepoData>;

export const RunRepoData = tagged('repo_type', {
  remote: RemoteRunRepoData,
  local: LocalRunRepoData,
  virtual: VirtualRunRepoData,
});
export type RunRepoData = z.infer<typeof RunRepoData>;

export const RemoteRepoCreds = model({
  clone_url: textBy(parseGitUrl),
  private_key: nullable(Text),
  oauth_token: nullable(Text),
});
export type RemoteRepoCreds = z.infer<typeof RemoteRepoCreds>;

export const RepoHead = model({ repo_id: PlainText, repo_info: RepoInfo });
export type RepoHead = z.infer<typeof RepoHead>;

export const RepoHeadWithCreds = model({
  repo_id: PlainText,
  repo_info: RepoInfo,
  repo_creds: nullable(RemoteRepoCreds),
});
export type RepoHeadWithCreds = z.infer<typeof RepoHeadWithCreds>;
