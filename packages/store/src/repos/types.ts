import type { RemoteRepoCreds, RepoHead } from '@dstack/contract/wire';
import type { Id, Timestamp } from '@dstack/core';

export interface RepoRecord {
  readonly id: Id;
  readonly projectId: Id;
  /** The client's own name for it; unique in the project. */
  readonly repoId: string;
  readonly info: RepoHead['repo_info'];
}

/** Code of a run that is not in a commit: a diff or an archive, kept as a blob of that hash. */
export interface CodeRecord {
  readonly id: Id;
  readonly repoId: Id;
  /** The hash by which the client named it. */
  readonly hash: string;
  /** SHA-256 of the bytes: key of the blob. */
  readonly sha256: string;
  readonly size: number;
  readonly createdAt: Timestamp;
}

export interface ProjectRepos {
  list(projectId: Id): Promise<RepoRecord[]>;
  byRepoId(projectId: Id, repoId: string): Promise<RepoRecord | null>;
  /** By the client's id; keeps the id of an existing row. */
  upsert(repo: RepoRecord): Promise<RepoRecord>;
  /** Unknown ones are ignored. */
  delete(projectId: Id, repoIds: readonly string[]): Promise<void>;
  /** The caller's own, else (`userId` null) those shared by the whole project. */
  credentials(repo: Id, userId: Id | null): Promise<RemoteRepoCreds | null>;
  /** Null deletes them. */
  setCredentials(repo: Id, userId: Id | null, creds: RemoteRepoCreds | null): Promise<void>;
  code(repo: Id, hash: string): Promise<CodeRecord | null>;
  /** The first one with this hash stays. */
  insertCode(code: CodeRecord): Promise<CodeRecord>;
}
