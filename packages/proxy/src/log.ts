interface Write {
  (fields: object, text: string): void;
  (text: string): void;
}

/** The used part of a logger; that of the server is one. */
export interface ProxyLog {
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
}
