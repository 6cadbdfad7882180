export interface CloudRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Parsed JSON, or the fields of a form; null if there is none. */
  readonly body: unknown;
}

export interface CloudAnswer {
  readonly status: number;
  /** Sent as JSON; null = no body. */
  readonly body: unknown;
  /** Sent as it is, in place of the body. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}
