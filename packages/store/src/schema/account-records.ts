/** Records of users, and of projects and what they keep, as the other packages see them. */
import type {
  BackendType,
  GlobalRole,
  JsonObject,
  ProjectRole,
  RepoHead,
  ServiceTokenScope,
  TokenLimits,
} from '@dstack/contract/wire';
import type { Id, Timestamp } from '@dstack/core';

export interface UserRecord {
  readonly id: Id;
  /** Unique case-insensitively among users that are not deleted. */
  readonly name: string;
  readonly globalRole: GlobalRole;
  readonly email: string | null;
  readonly active: boolean;
  /** RSA pair made by the server; null before its first use. */
  readonly sshPublicKey: string | null;
  readonly createdAt: Timestamp;
  readonly deleted: boolean;
  /** The name before the deletion, for events. */
  readonly originalName: string | null;
}

/** A key that a user registered, in addition to the server's pair. */
export interface PublicKeyRecord {
  readonly id: Id;
  readonly userId: Id;
  readonly name: string;
  readonly type: string;
  readonly fingerprint: string;
  /** One OpenSSH line. */
  readonly key: string;
  readonly addedAt: Timestamp;
}

/**
 * A browser in which a user is signed in. It is valid while the token that it was opened with is the
 * user's token, and the user is active.
 */
export interface SessionRecord {
  readonly id: Id;
  readonly userId: Id;
  /** Whether it outlives the browser. */
  readonly persistent: boolean;
  readonly createdAt: Timestamp;
  readonly lastUsedAt: Timestamp;
  readonly expiresAt: Timestamp;
}

export interface ProjectRecord {
  readonly id: Id;
  /** Unique case-insensitively among projects that are not deleted. */
  readonly name: string;
  readonly ownerId: Id;
  readonly isPublic: boolean;
  readonly templatesRepo: string | null;
  /** Authorised on the project's hosts. */
  readonly sshPublicKey: string;
  readonly defaultGatewayId: Id | null;
  readonly createdAt: Timestamp;
  readonly deleted: boolean;
  /** The name before the deletion, for events. */
  readonly originalName: string | null;
}

export interface MemberRecord {
  readonly projectId: Id;
  readonly userId: Id;
  readonly role: ProjectRole;
  /** Position in the list. */
  readonly memberNum: number;
}

export interface BackendRecord {
  readonly id: Id;
  readonly projectId: Id;
  readonly type: BackendType;
  /** The configuration that the adapter completed, without credentials. */
  readonly config: JsonObject;
  /** The configuration that the user sent, before the adapter completed it; null = same as `config`. */
  readonly sourceConfig: JsonObject | null;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp;
}

export interface SecretRecord {
  readonly id: Id;
  readonly projectId: Id;
  readonly name: string;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp;
}

/** Only the hash of the token is stored. */
export interface ServiceTokenRecord {
  readonly id: Id;
  readonly projectId: Id;
  /** Unique within the project. */
  readonly name: string;
  readonly scope: ServiceTokenScope;
  /** The user who created it, in whose name it acts. */
  readonly createdBy: Id;
  readonly createdAt: Timestamp;
  /** The token expires then; null = never. */
  readonly expiresAt: Timestamp | null;
  readonly lastUsedAt: Timestamp | null;
  /** Names of models that it may use; null = all. */
  readonly models: readonly string[] | null;
  /** Names of the runs that it may send requests to; null = its scope is another. */
  readonly services: readonly string[] | null;
  readonly limits: TokenLimits | null;
}

export interface FileArchiveRecord {
  readonly id: Id;
  readonly userId: Id;
  /** The hash by which the client named it; unique per user. */
  readonly hash: string;
  /** SHA-256 of the bytes: key of the blob. */
  readonly sha256: string;
  readonly size: number;
  readonly createdAt: Timestamp;
}

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
