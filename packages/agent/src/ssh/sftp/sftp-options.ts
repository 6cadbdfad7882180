/** Options of the program that serves files. Ids are the host's. */
export interface SftpOptions {
  readonly uid: number;
  readonly gid: number;
  /** Null = those of `username` on this host. */
  readonly groups: readonly number[] | null;
  readonly username: string | null;
  readonly cwd: string;
}
