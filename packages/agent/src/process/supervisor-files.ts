import { linkSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { JobAccount } from '../executor/job-account.ts';
import type { JobCgroup } from '../host/cgroup.ts';
import { writeDurably } from '../host/durable-file.ts';
import type { ProcessIdentity } from '../host/process-identity.ts';
import type { NamespaceStep } from './isolation/namespace.ts';
import type { TerminalKind } from './terminal.ts';

/** The input of a supervisor. It may hold secrets, so the supervisor removes it after reading. */
export interface Launch {
  readonly id: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly terminal: TerminalKind;
  readonly maskedValues: readonly string[];
  /** Lines at the start of its output; absent if an older agent wrote the file. */
  readonly notices?: readonly string[];
  readonly cgroup: JobCgroup;
  readonly account: JobAccount;
  /** The socket on which it listens for the agent. */
  readonly socket: string;
  /** Absent = `argv` is started unchanged. */
  readonly isolation?: LaunchIsolation | null;
}

/** For a command with another user or with its own mounts. */
export interface LaunchIsolation {
  /** Null = it runs in the namespaces of the host. */
  readonly namespace: readonly NamespaceStep[] | null;
  /** Whether the account belongs to this job alone. */
  readonly ownUser: boolean;
  /** New files are open to all users (`umask 0`). */
  readonly opensFiles?: boolean;
}

/** The same, as later commands in the job need it. */
export interface JobIsolation {
  /**
   * A process of the agent in the namespaces of the job; null = the job has none. It must not be a
   * process of the job, which could enter another namespace with other paths.
   */
  readonly namespace: ProcessIdentity | null;
  readonly ownUser: boolean;
  readonly opensFiles?: boolean;
}

/**
 * The supervisor and its command. Written before the command starts, and again with its leader
 * afterwards.
 */
export interface SupervisorRecord {
  readonly supervisor: ProcessIdentity;
  readonly leader: ProcessIdentity | null;
  readonly socket: string;
  readonly cwd: string;
  readonly account: JobAccount;
  readonly cgroup: JobCgroup;
  /** Absent if the job runs as the agent's user, or if an older agent started it. */
  readonly isolation?: JobIsolation | null;
}

/** How the command ended. `error` is set if it never ran. Times in microseconds. */
export interface ExitRecord {
  readonly status: number | null;
  readonly error: string | null;
  /** The kernel has killed a process of the job because its memory was full. */
  readonly outOfMemory?: boolean;
  readonly time: number;
}

/** Lines of JSON from the supervisor to the agent. */
export type SupervisorMessage = { readonly end: number } | { readonly done: true };

/** Line from the agent to the supervisor. */
export type AgentMessage = { readonly interrupt: true };

/** Exit status of a supervisor whose job already has a supervisor. */
export const ALREADY_SUPERVISED = 3;

/** Two blocks of the usual file systems. */
const RESERVED_BYTES = 8192;

export class SupervisorFiles {
  readonly #dir: string;

  constructor(jobDir: string) {
    this.#dir = jobDir;
  }

  get spool(): string {
    return join(this.#dir, 'spool');
  }

  get log(): string {
    return join(this.#dir, 'supervisor.log');
  }

  writeLaunch(launch: Launch): void {
    writeDurably(join(this.#dir, 'launch.json'), JSON.stringify(launch));
  }

  takeLaunch(): Launch {
    const path = join(this.#dir, 'launch.json');
    const launch: Launch = JSON.parse(readFileSync(path, 'utf8'));
    rmSync(path);
    return launch;
  }

  /** False if another supervisor, alive or dead, has claimed the job. */
  claim(record: SupervisorRecord): boolean {
    const own = join(this.#dir, `supervisor.${record.supervisor.pid}`);
    writeDurably(own, JSON.stringify(record));
    try {
      linkSync(own, join(this.#dir, 'supervisor.json'));
      return true;
    } catch {
      return false;
    } finally {
      rmSync(own, { force: true });
    }
  }

  writeSupervisor(record: SupervisorRecord): void {
    writeDurably(join(this.#dir, 'supervisor.json'), JSON.stringify(record));
  }

  readSupervisor(): SupervisorRecord | null {
    return readJson<SupervisorRecord>(join(this.#dir, 'supervisor.json'));
  }

  /** Reserves space for the record of the end, in case the disk is full by then. */
  reserveExit(): void {
    writeDurably(this.#reserve, ' '.repeat(RESERVED_BYTES));
  }

  /** Throws if the disk has no space even after the reserve was released. Can be repeated. */
  writeExit(record: ExitRecord): void {
    rmSync(this.#reserve, { force: true });
    writeDurably(join(this.#dir, 'exit.json'), JSON.stringify(record));
  }

  get #reserve(): string {
    return join(this.#dir, 'exit.reserve');
  }

  readExit(): ExitRecord | null {
    return readJson<ExitRecord>(join(this.#dir, 'exit.json'));
  }
}

function readJson<T>(path: string): T | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}
