import type { Id, Timestamp } from '@dstack/core';
import type { Page } from '../base/page.ts';
import type { Created, WriteExtras } from '../base/writes.ts';
import type { PublicKeyRecord, UserRecord } from '../schema/account-records.ts';

export type NewUser = Omit<UserRecord, 'deleted' | 'originalName'> & UserCredentials;

export interface UserCredentials {
  readonly token: string;
  readonly sshPrivateKey: string | null;
}

export interface UserFilter {
  /** Case-insensitive substring. */
  readonly namePattern?: string | null;
  /** Only this user: a user who is not an admin sees only themselves. */
  readonly onlyId?: Id | null;
  readonly page?: Page;
}

/** An account at a provider of OpenID Connect. `subject` never changes and is never given to another account. */
export interface UserIdentity {
  readonly issuer: string;
  readonly subject: string;
}

export interface UserIdentities {
  /** The user who signs in with the account, deactivated ones too; not deleted. */
  byIdentity(identity: UserIdentity): Promise<UserRecord | null>;
  /**
   * Binds the account to the user. `other-account`: the user already signs in with another account of the issuer, or the
   * account belongs to another user.
   */
  bindIdentity(id: Id, identity: UserIdentity, now: Timestamp): Promise<'bound' | 'other-account'>;
}

export interface Users extends UserIdentities {
  insert(user: NewUser, extras?: WriteExtras): Promise<Created>;
  /** Also deleted ones. */
  byId(id: Id): Promise<UserRecord | null>;
  byIds(ids: readonly Id[]): Promise<UserRecord[]>;
  /** Not deleted; case-insensitive. */
  byName(name: string): Promise<UserRecord | null>;
  byNames(names: readonly string[]): Promise<UserRecord[]>;
  byEmail(email: string): Promise<UserRecord | null>;
  /** The active user with this token; found by its SHA-256, then compared in constant time. */
  byToken(token: string): Promise<UserRecord | null>;
  credentials(id: Id): Promise<UserCredentials | null>;
  list(filter: UserFilter): Promise<UserRecord[]>;
  count(filter: Omit<UserFilter, 'page'>): Promise<number>;
  /** A user who is deactivated loses the accounts at providers. */
  update(
    id: Id,
    set: Partial<Pick<UserRecord, 'globalRole' | 'email' | 'active'>>,
    extras?: WriteExtras,
  ): Promise<void>;
  /** Ends all sessions of the user except `kept`, from which the user replaces their own token. */
  setToken(id: Id, token: string, extras?: WriteExtras, kept?: Id | null): Promise<void>;
  /** Also replaces the earlier public key in unfinished runs. */
  setSshKeys(
    id: Id,
    keys: { readonly privateKey: string; readonly publicKey: string },
    extras?: WriteExtras,
  ): Promise<void>;
  /**
   * Deleted users get another name and lose their token and memberships; their other records stay.
   */
  delete(ids: readonly Id[], extras?: WriteExtras): Promise<void>;

  /** Newest first. */
  publicKeys(userId: Id): Promise<PublicKeyRecord[]>;
  /** `name-taken`: the user has this key (fingerprint) already. */
  addPublicKey(key: PublicKeyRecord, extras?: WriteExtras): Promise<Created>;
  /** Returns those that existed. */
  deletePublicKeys(
    userId: Id,
    ids: readonly Id[],
    extras?: (deleted: readonly PublicKeyRecord[]) => WriteExtras,
  ): Promise<void>;
}
