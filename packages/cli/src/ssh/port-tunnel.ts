/** A connection of OpenSSH that forwards ports. */
export interface Tunnel {
  /** Resolves with the last error line of ssh once the connection has ended. */
  readonly lost: Promise<string>;
  close(): Promise<void>;
}
