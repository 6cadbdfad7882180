import { linkSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from '../durable-file.ts';
import type { JobAccount } from '../jobs/executor.ts';
import type { JobCgroup } from './cgroup.ts';
import type { NamespaceStep } from './isolation/namespace.ts';
import type { ProcessIdentity } from './process-identity.ts';
import type { TerminalKind } from './terminal.ts';

/** The input of a supervisor. It may hold secrets, so the supervisor removes it after reading. */
export interface Launch {
  readonly id: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly terminal: TerminalKind;
  readonly maskedValues: readonly string[];
  /** Lines that its output begins with; an older agent names none. */
  readonly notices?: readonly string[];
  readonly cgroup: JobCgroup;
  readonly account: JobAccount;
  /** Where it listens for the agent. */
  readonly socket: string;
  /** Absent: `argv` is started as it is. */
  readonly isolation?: LaunchIsolation | null;
}

/** For a command that runs as another user or with mounts of its own. */
export interface LaunchIsolation {
  /** Null = it runs in the namespaces of the machine. */
  readonly namespace: readonly NamespaceStep[] | null;
  /** Whether the account belongs to this job alone. */
  readonly ownUser: boolean;
  /** New files are open to all users (`umask 0`). */
  readonly opensFiles?: boolean;
}

/** The same as later commands in the job need it. */
export interface JobIsolation {
  /**
   * A process of the agent in the namespaces of the job; null = the job has none. Not a process of the
   * job, which could enter a namespace of its own where paths lead elsewhere.
   */
  readonly namespace: ProcessIdentity | null;
  readonly ownUser: boolean;
  readonly opensFiles?: boolean;
}

/** Who runs the job. Written before the command starts, and again with its leader after that. */
export interface SupervisorRecord {
  readonly supervisor: ProcessIdentity;
  readonly leader: ProcessIdentity | null;
  readonly socket: string;
  readonly cwd: string;
  readonly account: JobAccount;
  readonly cgroup: JobCgroup;
  /** Absent: the job runs as the agent's user, or an older agent started it. */
  readonly isolation?: JobIsolation | null;
}

/** How the command ended. `error` is set when it never ran. Times in microseconds. */
export interface ExitRecord {
  readonly status: number | null;
  readonly error: string | null;
  readonly time: number;
}

/** Lines of JSON from the supervisor to the agent. */
export type SupervisorMessage = { readonly end: number } | { readonly done: true };

/** Line from the agent to the supervisor. */
export type AgentMessage = { readonly interrupt: true };

/** Exit status of a supervisor that found another one in charge of its job. */
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

  /** False when another supervisor has claimed the job before, be it alive or dead. */
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

  /** Keeps room for the record of the end, should the disk be full by then. */
  reserveExit(): void {
    writeDurably(this.#reserve, ' '.repeat(RESERVED_BYTES));
  }

  /** Throws when the disk has no room even after the reserve was given up; can be repeated. */
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
