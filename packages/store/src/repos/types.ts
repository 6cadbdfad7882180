import type { RemoteRepoCreds } from '@dstack/contract/wire';
import type { Id } from '@dstack/core';
import type { CodeRecord, RepoRecord } from '../schema/account-records.ts';

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
