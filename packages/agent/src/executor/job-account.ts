/** The account a job runs under, where it is known. */
export interface JobAccount {
  readonly username: string | null;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string | null;
  /** Groups beside the primary one, of an account that no name stands for; else those of the name. */
  readonly groups?: readonly number[] | null;
}
