/** The account a job runs under. */
export interface JobAccount {
  readonly username: string | null;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string | null;
  /** Groups beside the primary one, for an account without a name; else the groups of the name. */
  readonly groups?: readonly number[] | null;
}
