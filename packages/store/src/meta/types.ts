import type { Id, Timestamp } from '@dstack/core';
import type { WriteExtras } from '../writes.ts';

/** Facts about this installation, and tokens of programs that are no users. */
export interface Meta {
  /** Id of the installation: the same for all servers of one database, made on first use. */
  serverId(): Promise<Id>;
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<void>;
  /** Sets it only if it is not there; answers what is there then. */
  setOnce(key: string, value: string): Promise<string>;
  /** Something encrypted (a user's token), to learn at start-up whether its key is there. */
  encryptedSample(): Promise<string | null>;
  serviceTokens: ServiceTokens;
  jobTokens: JobTokens;
}

/** Tokens with which jobs call the API of their project. */
export interface JobTokens {
  /** The token of the job; the same at each call. */
  of(jobId: Id): Promise<string>;
  /** The job of the token, even if it has ended; null: not a valid token. */
  jobOf(token: string): Promise<Id | null>;
}

/** What a token may do in its project: only look, or what a member with that role may. */
export type ServiceTokenScope = 'read' | 'user' | 'manager' | 'admin';

/** The token itself is kept as its hash only. */
export interface ServiceTokenRecord {
  readonly id: Id;
  readonly projectId: Id;
  /** Unique within the project. */
  readonly name: string;
  readonly scope: ServiceTokenScope;
  /** Who made it: what is done with it is done in this user's name. */
  readonly createdBy: Id;
  readonly createdAt: Timestamp;
  /** From then on it is not valid; null = it stays. */
  readonly expiresAt: Timestamp | null;
  readonly lastUsedAt: Timestamp | null;
}

export interface ServiceTokens {
  /** By name. */
  list(projectId: Id): Promise<ServiceTokenRecord[]>;
  insert(
    record: ServiceTokenRecord,
    token: string,
    extras?: WriteExtras,
  ): Promise<'created' | 'name-taken'>;
  /** Also expired ones. */
  byToken(token: string): Promise<ServiceTokenRecord | null>;
  used(id: Id, at: Timestamp): Promise<void>;
  delete(ids: readonly Id[], extras?: WriteExtras): Promise<void>;
}
