import { resolve } from 'node:path';
import { Problem, parseBranch, parseCommitHash } from '@dstack/contract';
import type { RemoteRepoCreds, RunSpec } from '@dstack/contract/wire';
import type { RepoFlags } from '../commands/apply/flags.ts';
import type { ApplicableRun } from '../configuration/types.ts';
import type { Cli, Connection } from '../context.ts';
import { UsageError } from '../errors.ts';
import { absolutePath } from '../files/upload.ts';
import { type Upload, withoutAdvice } from '../files/upload-limit.ts';
import { orNull } from '../resource-error.ts';
import { lookUpHost } from '../ssh/user-config.ts';
import { withSpinner } from '../terminal/live.ts';
import { findCredentials } from './credentials.ts';
import { readLocalRepo } from './local-repo.ts';
import { parseRepoUrl, type RepoUrl, repoId, repoName } from './repo-id.ts';

/** A repo's part of the run spec. Nothing is written to the server before `register`. */
export interface PreparedRepo {
  readonly id: string;
  readonly data: RunSpec['repo_data'];
  readonly codeHash: string | null;
  /** Its place in the run; null if there is none. */
  readonly directory: string | null;
  /** Registers it on the server; called once the user has agreed, before `uploadDiff`. */
  readonly register: () => Promise<void>;
  /** The local changes, which `uploadDiff` sends. */
  readonly missing: readonly Upload[];
  /** Uploads the local changes. */
  readonly uploadDiff: () => Promise<void>;
}

interface Selection {
  readonly local: string | null;
  readonly url: string | null;
  readonly branch: string | null;
  readonly hash: string | null;
}

/** `--no-repo`, then `--repo`, then the configuration's `repos`, else none. */
export async function prepareRepo(
  configuration: ApplicableRun,
  flags: RepoFlags,
  directory: string,
  connection: Connection,
  cli: Cli,
): Promise<PreparedRepo> {
  if (cli.args.includes('--no-repo') && cli.args.some((w) => /^(--repo|-P)(=|$)/.test(w))) {
    throw new UsageError('--repo and --no-repo cannot be used together');
  }
  checkFlags(flags);
  const selection = select(configuration, flags, directory, cli);
  if (selection === null) return noRepo(connection);
  const path = configuration.repos?.[0]?.path ?? null;
  return checkedRepo(selection, flags, path, connection, cli);
}

/** Every run belongs to a repo; one without code belongs to the repo `none`. */
function noRepo(connection: Connection): PreparedRepo {
  return {
    id: 'none',
    data: { repo_type: 'virtual' },
    codeHash: null,
    directory: null,
    register: () => connection.project.repos.init('none', { repo_type: 'virtual' }, null),
    missing: [],
    uploadDiff: async () => {},
  };
}

/** Checks flags of the command line; the parser has already checked the values of a file. */
function checkFlags({ branch, hash }: RepoFlags): void {
  const problems = [
    ['--repo-branch', branch === null ? null : parseBranch(branch)],
    ['--repo-hash', hash === null ? null : parseCommitHash(hash)],
  ] as const;
  for (const [flag, problem] of problems) {
    if (problem instanceof Problem) throw new UsageError(`${flag} ${problem.message}`);
  }
}

function select(
  configuration: ApplicableRun,
  flags: RepoFlags,
  directory: string,
  cli: Pick<Cli, 'cwd' | 'home'>,
): Selection | null {
  if (flags.repo === false) return null;
  if (flags.repo !== null) {
    const isUrl = parseRepoUrl(flags.repo) !== null;
    const { branch, hash } = flags;
    if (isUrl) return { local: null, url: flags.repo, branch, hash };
    return { local: absolutePath(flags.repo, cli.cwd, cli.home), url: null, branch, hash };
  }
  const entry = configuration.repos?.[0];
  if (!entry) return null;
  const local = entry.local_path ? absolutePath(entry.local_path, directory, cli.home) : null;
  return {
    local,
    url: entry.url ?? null,
    branch: flags.branch ?? entry.branch ?? null,
    hash: flags.hash ?? entry.hash ?? null,
  };
}

/** Checks that the repository can be read with the credentials that the server would get. */
export async function checkedRepo(
  selection: Selection,
  flags: RepoFlags,
  path: string | null,
  connection: Connection,
  cli: Cli,
): Promise<PreparedRepo> {
  const local = selection.local === null ? null : await readLocalRepo(resolve(selection.local));
  const url = local?.url ?? parseRepoUrl(selection.url ?? '');
  if (url === null) throw new UsageError(`"${selection.url}" is not the URL of a Git repository`);
  const host = await lookUpHost(url.host, cli.home);
  const id = repoId(url, url.protocol === 'ssh' ? (host?.hostName ?? url.host) : url.host);
  const creds = await newCredentials(id, url, flags, connection, cli);
  const diff = local?.diff ?? null;
  const upload = diff && {
    ...{ what: selection.local ?? '', hash: diff.hash, length: diff.bytes.byteLength, files: [] },
  };
  return {
    id,
    data: {
      repo_type: 'remote',
      repo_name: repoName(url),
      repo_branch: local?.branch ?? selection.branch,
      repo_hash: local?.commit ?? selection.hash,
      repo_config_name: local?.userName ?? null,
      repo_config_email: local?.userEmail ?? null,
    },
    codeHash: diff?.hash ?? null,
    directory: path,
    register: async () => {
      if (creds === null) return;
      const info = { repo_type: 'remote', repo_name: repoName(url) } as const;
      await connection.project.repos.init(id, info, creds);
    },
    missing: upload === null ? [] : [upload],
    uploadDiff: async () => {
      if (diff === null || upload === null) return;
      await withoutAdvice(upload, () =>
        connection.project.repos.uploadCode(id, diff.hash, diff.bytes),
      );
    },
  };
}

/** The credentials to store on the server; null if it has them already. */
async function newCredentials(
  id: string,
  url: RepoUrl,
  flags: Pick<RepoFlags, 'token' | 'gitIdentity'>,
  connection: Connection,
  cli: Cli,
): Promise<RemoteRepoCreds | null> {
  const { token, gitIdentity } = flags;
  const known = await knownRepo(id, connection);
  const isHidden = known?.creds === 'hidden';
  // Only the server can try credentials that this token may not read; a run reports if they fail.
  if (isHidden && token === null && gitIdentity === null) return null;
  const stored = known === null || known.creds === 'hidden' ? null : known.creds;
  const creds = await withSpinner(cli.io, 'Checking the repository...', () =>
    findCredentials(url, { token, gitIdentity, stored }, cli),
  );
  return stored !== null && sameCredentials(stored, creds) ? null : creds;
}

/** A repo of the server; tokens of programs may not read its credentials. */
async function knownRepo(
  id: string,
  { project }: Connection,
): Promise<{ readonly creds: RemoteRepoCreds | null | 'hidden' } | null> {
  const { ForbiddenError } = await import('@dstack/client');
  try {
    const known = await orNull(() => project.repos.get(id, true));
    return known && { creds: known.repo_creds ?? null };
  } catch (error) {
    if (!(error instanceof ForbiddenError) || /^invalid token/i.test(error.message)) throw error;
    const repos = await project.repos.list();
    return repos.some((repo) => repo.repo_id === id) ? { creds: 'hidden' } : null;
  }
}

function sameCredentials(a: RemoteRepoCreds, b: RemoteRepoCreds): boolean {
  return (
    a.clone_url === b.clone_url &&
    (a.private_key ?? null) === (b.private_key ?? null) &&
    (a.oauth_token ?? null) === (b.oauth_token ?? null)
  );
}
