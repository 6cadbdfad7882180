/** Credentials that authenticate one request. */
export interface Credential {
  /** Value of the header `Authorization`; null = a client certificate, or nothing. */
  readonly authorization: string | null;
  readonly cert: string | null;
  readonly key: string | null;
}
