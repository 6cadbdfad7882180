/** What the program that serves files is told; ids as this machine numbers them. */
export interface SftpOptions {
  readonly uid: number;
  readonly gid: number;
  /** Null = those that `username` has on this machine. */
  readonly groups: readonly number[] | null;
  readonly username: string | null;
  readonly cwd: string;
}
