import type { Id, Timestamp } from '@dstack/core';
import type { WriteExtras } from '../base/writes.ts';
import type { ServiceTokenRecord } from '../schema/account-records.ts';

/** Facts about this installation, and tokens of programs. */
export interface Meta {
  /** Id of the installation: the same for all servers of one database, made on first use. */
  serverId(): Promise<Id>;
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<void>;
  /** Sets it only if it is missing; returns the stored value. */
  setOnce(key: string, value: string): Promise<string>;
  /**
   * Replaces it by what `change` makes of it, while no other server does; returns the result. `now`: the
   * time of the database. Null: it is missing.
   */
  amend<T>(
    key: string,
    change: (
      value: string | null,
      now: Timestamp,
    ) => { readonly value: string; readonly result: T },
  ): Promise<T>;
  /** Removes it together with the additions. False: it was missing, and nothing is written. */
  take(key: string, extras: WriteExtras): Promise<boolean>;
  /**
   * Any encrypted value (a user's token), to find out at start-up whether its key is configured.
   */
  encryptedSample(): Promise<string | null>;
  serviceTokens: ServiceTokens;
  jobTokens: JobTokens;
  /** Signs what browsers bring back from providers; the same for all servers of one database. */
  signInKey(): Promise<Buffer>;
}

/** Tokens with which jobs call the API of their project. */
export interface JobTokens {
  /** The token of the job; the same at each call. */
  of(jobId: Id): Promise<string>;
  /** The job of the token, even if it has ended; null: not a valid token. */
  jobOf(token: string): Promise<Id | null>;
}

/** Tokens of models on a day, and since the beginning of its month. */
export interface UsedTokens {
  readonly day: number;
  readonly month: number;
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
  /** By token; days since the epoch. */
  usedTokens(
    ids: readonly Id[],
    days: { readonly today: number; readonly monthFrom: number },
  ): Promise<Readonly<Record<Id, UsedTokens>>>;
  delete(ids: readonly Id[], extras?: WriteExtras): Promise<void>;
}
