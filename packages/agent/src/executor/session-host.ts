import type { Writable } from 'node:stream';
import type { Listener, OnCaller } from '../network/listen.ts';
import type { JobAccount } from './job-account.ts';

/** Terminal of a session; sizes in characters. */
export interface Terminal {
  readonly term: string;
  readonly cols: number;
  readonly rows: number;
}

/** What cannot be run; the message is for the person at the client. */
export class SessionRefusal extends Error {
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** Who a session runs as. */
export interface SessionAccount extends JobAccount {
  /** Groups beside the primary one; null = those that the name has where it runs. */
  readonly groups: readonly number[] | null;
}

export interface SessionCommand {
  readonly account: SessionAccount;
  readonly argv: readonly string[];
  /** Above the variables of the job. */
  readonly env: Readonly<Record<string, string>>;
  readonly terminal: Terminal | null;
}

/** Takes output; the promise says when there may be more. */
export type OutputSink = (bytes: Buffer, isError: boolean) => Promise<void>;

/** A command that runs in the job. */
export interface SessionProcess {
  /** Ending it is the end of the command's input. */
  readonly stdin: Writable;
  /**
   * Gives all output to `sink`, one piece at a time. Resolves with the exit code, or the name of the
   * signal without `SIG`, when there is no more. Called once.
   */
  run(sink: OutputSink): Promise<number | string>;
  resize(cols: number, rows: number): void;
  /** Name without `SIG`. */
  signal(name: string): void;
  /**
   * The client has gone: what has a terminal hears SIGHUP, everything else only that its input has
   * ended and goes on, so that servers started by an editor survive.
   */
  hangUp(): void;
}

/** The files of a job as this machine reaches them. */
export interface JobRoot {
  /** A directory that is the job's `/`. */
  readonly path: string;
  /** How a user or group id of the job is numbered on this machine. */
  readonly hostUid: (uid: number) => number;
  readonly hostGid: (gid: number) => number;
  /** Whose its sockets must be; undefined where every socket in it is the job's. */
  readonly owner?: number;
}

/** What sessions need of a job, whatever runs it. */
export interface SessionHost {
  /** Arguments that make a shell of this job a login shell. */
  readonly loginShell: readonly string[];
  /** Who a login name means. Rejects with `SessionRefusal` when nobody. */
  account(login: string): Promise<SessionAccount>;
  /** Whether there is a program at an absolute path. */
  has(path: string): Promise<boolean>;
  /** Starts a command in the job's working directory. */
  start(command: SessionCommand): Promise<SessionProcess>;
  /** Null when the files are out of reach from here. */
  root(): JobRoot | null;
  /** Where sockets that a user names may be connected to and made; null when nowhere. */
  socketRoot(): JobRoot | null;
  /** Listens on the job's own loopback; port 0 takes any. */
  listen(port: number, onCaller: OnCaller): Promise<Listener>;
  /** Where relative paths of file transfers begin. */
  readonly workingDir: string;
}
