export interface Pools {
  /**
   * Names the projects whose jobs may run on the server's machine, which connects them. Known to this
   * server only: each one names them when it starts.
   */
  shareServerHost(projectNames: ReadonlySet<string>): Promise<void>;
}
