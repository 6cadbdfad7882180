import type { Id, Timestamp } from '@dstack/core';

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
}

export interface ServiceTokenRecord {
  readonly id: Id;
  readonly name: string;
  readonly projectId: Id | null;
  readonly createdAt: Timestamp;
}

export interface ServiceTokens {
  list(): Promise<ServiceTokenRecord[]>;
  insert(record: ServiceTokenRecord, token: string): Promise<'created' | 'name-taken'>;
  byToken(token: string): Promise<ServiceTokenRecord | null>;
  delete(id: Id): Promise<void>;
}
