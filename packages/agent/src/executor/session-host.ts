import type { Writable } from 'node:stream';
import type { Listener, OnCaller } from '../network/listen.ts';
import type { JobAccount } from './job-account.ts';

/** The terminal of a session; sizes in characters. */
export interface SessionTerminal {
  readonly term: string;
  readonly cols: number;
  readonly rows: number;
}

/** The session cannot be started. The message is for the user. */
export class SessionRefusal extends Error {
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** The account of a session. */
export interface SessionAccount extends JobAccount {
  /** Groups beside the primary one; null = the groups of the name. */
  readonly groups: readonly number[] | null;
}

export interface SessionCommand {
  readonly account: SessionAccount;
  readonly argv: readonly string[];
  /** Overrides the variables of the job. */
  readonly env: Readonly<Record<string, string>>;
  readonly terminal: SessionTerminal | null;
}

/** Receives output. More may be sent when the promise resolves. */
export type OutputSink = (bytes: Buffer, isError: boolean) => Promise<void>;

/** A command that runs in the job. */
export interface SessionProcess {
  /** Ending it is the end of the command's input. */
  readonly stdin: Writable;
  /**
   * Passes all output to `sink`, one piece at a time. Then resolves with the exit code, or the name
   * of the signal without `SIG`. Called once.
   */
  run(sink: OutputSink): Promise<number | string>;
  resize(cols: number, rows: number): void;
  /** Name without `SIG`. */
  signal(name: string): void;
  /**
   * The client has disconnected. A command with a terminal receives SIGHUP. Without one only its
   * input ends and it continues, so that servers started by an editor survive.
   */
  hangUp(): void;
}

/** The files of a job, as the host sees them. */
export interface JobRoot {
  /** A directory that is the job's `/`. */
  readonly path: string;
  /** Maps a user or group id of the job to the host's. */
  readonly hostUid: (uid: number) => number;
  readonly hostGid: (gid: number) => number;
  /** The owner that its sockets must have; undefined if every socket in it is the job's. */
  readonly owner?: number;
}

/** The parts of a job that sessions use, for any executor. */
export interface SessionHost {
  /** Arguments that make a shell of this job a login shell. */
  readonly loginShell: readonly string[];
  /** The account of a login name. Rejects with `SessionRefusal` if there is none. */
  account(login: string): Promise<SessionAccount>;
  /** Whether there is a program at an absolute path. */
  has(path: string): Promise<boolean>;
  /** Starts a command in the job's working directory. */
  start(command: SessionCommand): Promise<SessionProcess>;
  /** Null if the files are not accessible from the host. */
  root(): JobRoot | null;
  /** Where users may connect to sockets and create them; null = nowhere. */
  socketRoot(): JobRoot | null;
  /** Listens on the job's own loopback; port 0 takes any. */
  listen(port: number, onCaller: OnCaller): Promise<Listener>;
  /** The base of relative paths in file transfers. */
  readonly workingDir: string;
}
