/** The machine of a server, and the projects whose jobs may run there. */
export interface SharedServerHost {
  readonly hostId: string;
  /** In small letters; none: its machine connects no projects. */
  readonly projects: ReadonlySet<string>;
}

export interface Pools {
  /**
   * Records which projects share the machine of this server, which connects them, for all servers of the
   * database. `host` null: this server has no machine for jobs. A record that was not renewed for
   * `SERVER_HOST_LIFE` is of a server that does not exist any more, and connects nothing.
   */
  shareServerHost(host: SharedServerHost | null): Promise<void>;
}

/** µs. */
export const SERVER_HOST_LIFE = 24 * 3600 * 1_000_000;
