import type { Id, Timestamp } from '@dstack/core';
import type { SessionRecord, UserRecord } from '../schema/account-records.ts';

/** Both are needed: the browser keeps them in different places. Only hashes are stored. */
export interface SessionProof {
  /** Known to the pages of the server's origin. */
  readonly key: string;
  /** Values of cookies, one of which must be the session's secret. */
  readonly secrets: readonly string[];
}

export interface SignedInSession {
  readonly session: SessionRecord;
  readonly user: UserRecord;
}

export interface Sessions {
  /**
   * A user has a limited number of sessions; the ones unused for longest are ended. `refused`: the
   * token is not the user's any more.
   */
  open(
    session: SessionRecord,
    how: { readonly key: string; readonly secret: string; readonly token: string },
  ): Promise<'opened' | 'refused'>;
  /** Null: unknown, expired at `now`, or no longer valid. */
  find(proof: SessionProof, now: Timestamp): Promise<SignedInSession | null>;
  extend(id: Id, times: Pick<SessionRecord, 'lastUsedAt' | 'expiresAt'>): Promise<void>;
  /** Ends streams that were opened with it, too. */
  end(session: Pick<SessionRecord, 'id' | 'userId'>): Promise<void>;
  endAll(userId: Id): Promise<void>;
  /** Deletes those that expired before, and those without a valid token. Returns how many. */
  deleteInvalid(before: Timestamp): Promise<number>;
}
