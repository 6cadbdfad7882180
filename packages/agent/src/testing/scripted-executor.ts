import { join } from 'node:path';
import { type Duplex, duplexPair } from 'node:stream';
import type { Execution, ExecutionExit, Executor, ExecutorJob } from '../executor/executor.ts';
import { createEventLogger } from '../host/log.ts';
import type { OpenJobAccess } from '../jobs/job-access.ts';
import { JobRegistry } from '../jobs/registry.ts';
import type { SpoolChunk, SpoolReader } from '../spool/spool-reader.ts';

/** Output in memory, which the test controls. */
export class MemorySpool implements SpoolReader {
  readonly #listeners = new Set<(end: number) => void>();
  readonly #ended = Promise.withResolvers<number>();
  #bytes = Buffer.alloc(0);
  start = 0;

  get end(): number {
    return this.#bytes.length;
  }

  get ended(): Promise<number> {
    return this.#ended.promise;
  }

  async read(offset: number, max: number): Promise<SpoolChunk | null> {
    const from = Math.max(offset, this.start);
    if (from >= this.end) return null;
    return { offset: from, time: 1, bytes: this.#bytes.subarray(from, from + max) };
  }

  follow(listener: (end: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  print(text: string): void {
    this.#bytes = Buffer.concat([this.#bytes, Buffer.from(text)]);
    for (const listener of this.#listeners) listener(this.end);
  }

  /** Drops everything before `offset`, as rotation does. */
  drop(offset: number): void {
    this.start = offset;
  }

  finish(): void {
    this.#ended.resolve(this.end);
  }
}

/** A job that the test controls. */
export class ScriptedExecution implements Execution {
  readonly workingDir = '/w';
  readonly account = { username: 'root', uid: 0, gid: 0, home: '/root', shell: null };
  readonly containerIp = null;
  readonly spool = new MemorySpool();
  readonly sessions = null as never;
  readonly #exit = Promise.withResolvers<ExecutionExit>();
  addresses: readonly string[] = ['localhost'];
  /** The job's ends of the connections to its ports. */
  readonly dialled: Duplex[] = [];
  readonly signals: string[] = [];
  /** The text of the file with the notice, which a test may change as a job would. */
  noticeText = '';

  get exited(): Promise<ExecutionExit> {
    return this.#exit.promise;
  }

  exit(status: number): void {
    this.spool.finish();
    this.#exit.resolve({ status, reason: null, message: null });
  }

  async dial(_host: string, port: number): Promise<Duplex> {
    if (port === 1) throw new Error('connection refused');
    const [ours, theirs] = duplexPair();
    this.dialled.push(theirs);
    return ours;
  }

  async interrupt(): Promise<void> {
    this.signals.push('interrupt');
  }

  async terminate(): Promise<void> {
    this.signals.push('terminate');
  }

  async kill(): Promise<void> {
    this.signals.push('kill');
  }

  async writeNotice(text: string): Promise<void> {
    this.noticeText = text;
  }

  async readNotice(): Promise<string> {
    return this.noticeText;
  }

  async usage() {
    return {
      ...{ timestamp_micro: 1, cpu_usage_micro: 2, memory_usage_bytes: 3 },
      ...{ memory_working_set_bytes: 4, gpus: [] },
    };
  }

  release(): void {}
}

/** An executor that starts nothing outside of this process. */
export class ScriptedExecutor implements Executor {
  readonly kind = 'process';
  readonly pulls = false;
  readonly #started = new Map<string, ScriptedExecution>();

  /** The execution of a job that has been started. */
  of(id: string): ScriptedExecution {
    const found = this.#started.get(id);
    if (!found) throw new Error(`job ${id} has not been started`);
    return found;
  }

  async pull(): Promise<void> {}

  async start({ spec }: ExecutorJob): Promise<Execution> {
    const execution = new ScriptedExecution();
    this.#started.set(spec.id, execution);
    return execution;
  }

  async adopt(): Promise<null> {
    return null;
  }

  async remove(): Promise<void> {}

  serverSocket() {
    return { path: '', folderMode: null, mode: 0o600, owner: null };
  }

  whyNoMounts(): null {
    return null;
  }

  async check(): Promise<null> {
    return null;
  }

  planImages(): void {}

  close(): void {}

  async sweep(): Promise<void> {}
}

/** A registry whose jobs are scripted, with its state in `dir`. */
export function scriptedRegistry(
  dir: string,
  executor: ScriptedExecutor,
  openAccess: OpenJobAccess = async () => null,
): JobRegistry {
  return new JobRegistry({
    stateDir: dir,
    socketDir: join(dir, 'sockets'),
    jobHomes: null,
    executor,
    gpus: [],
    log: createEventLogger(() => {}),
    openAccess,
  });
}
