/** A connection of OpenSSH that forwards ports. */
export interface Tunnel {
  /** Resolves once the connection is gone, with ssh's last words. */
  readonly lost: Promise<string>;
  close(): Promise<void>;
}
