/** The question of a process about a caller that it has no grant for, and the answer. */
import type { ModelToken } from '../models/model-token.ts';
import type { OriginSession } from '../values.ts';

/** `authorization`: the header of the request. */
export interface AdmissionAsk {
  readonly key: string;
  /** To services, to the list of models, or to a model. */
  readonly kind: 'service' | 'models' | 'model';
  readonly project: string;
  readonly method: string;
  readonly authorization: string | null;
  /** The cookie of a service, instead of the header. */
  readonly session: OriginSession | null;
  /** Address of the caller. */
  readonly address: string;
}

export interface GrantedCaller {
  readonly name: string;
  /** Ids of the server; a gateway knows only names, which it uses instead. */
  readonly userId: string;
  readonly projectId: string;
  readonly projectName: string;
  /** Microseconds since the epoch; null = never. */
  readonly expiresAt: number | null;
  /** Null: a person's credentials. */
  readonly token: ModelToken | null;
  /** See `ServiceCaller`. */
  readonly services: readonly string[] | null;
}

/** The server has admitted a caller. */
export interface Granted {
  readonly ask: AdmissionAsk;
  readonly caller: GrantedCaller;
}

/** The part of a grant that is kept: only the hash of the credential. */
export interface KeptGrant {
  readonly key: string;
  readonly caller: GrantedCaller;
  /** Milliseconds since the epoch. */
  readonly confirmedAt: number;
}

/** Distinguishes callers. */
export function proofText(
  authorization: string | null | undefined,
  session: OriginSession | null,
): string {
  return session === null ? `${authorization}` : JSON.stringify([session.runId, session.secrets]);
}
