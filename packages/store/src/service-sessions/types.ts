import type { Id, Timestamp } from '@dstack/core';
import type { UserRecord } from '../schema/account-records.ts';

/** Signs the browser of a session in at the origin of a service, once. */
export interface ServiceCode {
  readonly code: string;
  /** Only the browser that has sent it may use the code. */
  readonly state: string;
  readonly sessionId: Id;
  readonly runId: Id;
  readonly createdAt: Timestamp;
  readonly expiresAt: Timestamp;
}

/** The exchange of a code for a cookie. */
export interface ServiceCodeUse {
  readonly code: string;
  /** Values of cookies, one of which must be the state. */
  readonly states: readonly string[];
  readonly runId: Id;
  /** The value of the cookie. */
  readonly secret: string;
  readonly now: Timestamp;
  readonly expiresAt: Timestamp;
}

export interface ServiceSessionProof {
  /** Values of cookies, one of which must be the secret. */
  readonly secrets: readonly string[];
  readonly runId: Id;
}

export interface ServiceSession {
  readonly user: UserRecord;
  readonly expiresAt: Timestamp;
}

/** Browsers that are signed in at the origin of one service; only hashes are stored. */
export interface ServiceSessions {
  issue(code: ServiceCode): Promise<void>;
  /** `refused`: unknown, used, expired, of another service or browser, or its session has ended. */
  redeem(use: ServiceCodeUse): Promise<'signed-in' | 'refused'>;
  /** Null: unknown, expired, of another service, or the session of the browser has ended. */
  find(proof: ServiceSessionProof, now: Timestamp): Promise<ServiceSession | null>;
  /** Returns how many. */
  deleteExpired(before: Timestamp): Promise<number>;
}
