import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { JobFailure } from '../executor/job-failure.ts';
import { SYNC } from '../host/durable-file.ts';
import { nodeCommand, programEntry } from '../host/program-entry.ts';
import { LOCK_TAKEN, reserveFromServices } from './isolation/system-users.ts';
import { ALREADY_SUPERVISED, SupervisorFiles } from './supervisor-files.ts';

/**
 * A supervisor that has started already and waits for its job: starting Node would delay the job. For
 * agents in the container of one job, which comes for certain; it ends with the agent.
 */
export class ReadySupervisor {
  readonly #child: ChildProcess;
  #isTaken = false;

  constructor() {
    this.#child = spawnSupervisor([], ['pipe', 'ignore', 'inherit', 'pipe']);
    this.#child.on('error', () => {});
    this.#child.stdin?.on('error', () => {});
    this.#child.unref();
  }

  /** Null: it has been taken, or has not started. */
  take(jobDir: string): ChildProcess | null {
    const { pid, exitCode, signalCode, stdin } = this.#child;
    const isThere = pid !== undefined && exitCode === null && signalCode === null;
    if (this.#isTaken || !isThere) return null;
    this.#isTaken = true;
    this.#child.ref();
    stdin?.end(jobDir);
    return this.#child;
  }
}

function spawnSupervisor(
  words: readonly string[],
  stdio: StdioOptions,
  before: readonly string[] = [],
): ChildProcess {
  const entry = programEntry('supervisor.js', 'process/supervisor-main.ts');
  const supervisor = [...nodeCommand(), '--max-old-space-size=64', entry, ...words];
  const [file = '', ...args] = [...before, ...supervisor];
  const { PATH, [SYNC]: sync } = process.env;
  const env = { PATH, ...(sync === undefined ? {} : { [SYNC]: sync }) };
  return spawn(file, args, { cwd: '/', detached: true, env, stdio });
}

/**
 * Resolves when agents can connect to the supervisor, or if another one already supervises the job.
 * `ownUid`: a user id that belongs to the job alone while its supervisor lives; null = none.
 */
export async function startSupervisor(
  jobDir: string,
  ownUid: number | null,
  readySupervisor: ReadySupervisor | null = null,
): Promise<void> {
  mkdirSync(jobDir, { recursive: true });
  const logPath = new SupervisorFiles(jobDir).log;
  const log = openSync(logPath, 'a', 0o600);
  const before = ownUid === null ? [] : reserveFromServices(ownUid);
  const child =
    (ownUid === null ? readySupervisor?.take(jobDir) : null) ??
    spawnSupervisor([jobDir], ['ignore', log, log, 'pipe'], before);
  closeSync(log);
  await untilReady(child, logPath);
  child.unref();
}

function untilReady(child: ChildProcess, logPath: string): Promise<void> {
  const ready = child.stdio[3] as Readable;
  return new Promise((done, fail) => {
    child.once('error', (cause) =>
      fail(new JobFailure('executor_error', cause.message, { cause })),
    );
    child.once('exit', (code) => {
      if (code === 0 || code === ALREADY_SUPERVISED) return done();
      fail(new JobFailure('executor_error', failureText(code, logPath)));
    });
    ready.once('data', () => {
      ready.destroy();
      done();
    });
    ready.on('error', () => {});
  });
}

function failureText(code: number | null, logPath: string): string {
  if (code === LOCK_TAKEN) {
    return 'The user id of the job was assigned to a service of this host at the same moment';
  }
  const lines = readFileSync(logPath, 'utf8').trim().slice(-500);
  return `The job's supervisor failed to start: ${lines}`;
}
