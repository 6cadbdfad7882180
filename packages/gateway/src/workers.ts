import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  type BeatLimits,
  ChannelClosed,
  type Handlers,
  type ProxyLog,
  type ServiceWorkerOptions,
} from '@dstack/proxy';
import { ChildWorker, type Worker } from './child-worker.ts';
import { workerNode } from './worker/template-program.ts';

export type { Worker };

export interface WorkersOptions {
  readonly runtime: string;
  /** Group id of the sockets; null = this process is not root. */
  readonly group: number | null;
  readonly timeoutMs: number;
  /** Where they keep what models have used, and counted requests. */
  readonly spools: ServiceWorkerOptions['spools'];
  /** Types and data of the messages that each new worker receives before it listens. */
  readonly initial: () => readonly (readonly [string, unknown])[];
  readonly handlers: (worker: Worker) => Handlers;
  readonly onExit: (worker: Worker) => void;
  /** Starts the process of a worker. */
  readonly spawn?: (options: Pick<WorkersOptions, 'timeoutMs' | 'spools'>) => ChildProcess;
  /** When a worker stands still. */
  readonly beats?: BeatLimits;
  readonly log: ProxyLog;
}

/** Two, so that one answers while the other is started again. */
const COUNT = 2;
const RESTART_MS = 250;
/**
 * New objects get at most 16 MB before they are collected, instead of 32: less memory under load. The workers
 * share the cores, so that one thread of each for collection and compilation is enough: 2 MB less each.
 */
const MEMORY = ['--max-old-space-size=512', '--max-semi-space-size=16', '--v8-pool-size=1'];

/** The processes that carry requests. */
export class Workers {
  readonly #options: WorkersOptions;
  readonly #started = new Map<number, ChildWorker>();
  #closed = false;

  constructor(options: WorkersOptions) {
    this.#options = options;
  }

  get timeoutMs(): number {
    return this.#options.timeoutMs;
  }

  get sockets(): string[] {
    return Array.from({ length: COUNT }, (_, index) => this.#socket(index));
  }

  /** Resolves when all of them listen. */
  async start(): Promise<void> {
    await Promise.all(Array.from({ length: COUNT }, (_, index) => this.#start(index)));
  }

  notify(type: string, data: unknown): void {
    for (const worker of this.#started.values()) worker.notify(type, data);
  }

  get all(): Worker[] {
    return [...this.#started.values()];
  }

  /** They go on until others have taken their sockets. */
  leave(): void {
    this.#closed = true;
    for (const { channel } of this.#started.values()) channel.close();
  }

  /** Ends them with the gateway. */
  kill(): void {
    this.#closed = true;
    for (const { child } of this.#started.values()) child.kill('SIGKILL');
  }

  #socket(index: number): string {
    return `${this.#options.runtime}/worker-${index}.sock`;
  }

  /** Resolves when it listens. One that ends before, or cannot listen, is followed by another one. */
  #start(index: number): Promise<void> {
    const { initial, onExit, handlers, spawn = spawnWorker, log } = this.#options;
    const worker = new ChildWorker(spawn(this.#options), handlers);
    const { child, channel } = worker;
    const followed = Promise.withResolvers<void>();
    this.#started.set(index, worker);
    for (const [type, data] of initial()) channel.notify(type, data);
    child.on('error', (error) => log.error({ err: error }, 'a worker has failed'));
    child.on('exit', (code, signal) => {
      worker.onExit();
      onExit(worker);
      if (this.#closed || this.#started.get(index) !== worker) return;
      log.warn({ index, code, signal }, 'a worker has ended; another one is started');
      setTimeout(() => !this.#closed && followed.resolve(this.#start(index)), RESTART_MS);
    });
    return this.#listen(index, worker).catch((error) => {
      if (!(error instanceof ChannelClosed)) {
        log.error({ err: error }, 'a worker cannot listen');
        child.kill('SIGKILL');
      }
      return followed.promise;
    });
  }

  async #listen(index: number, worker: ChildWorker): Promise<void> {
    const { group, beats } = this.#options;
    await worker.listen({ socket: this.#socket(index), group });
    const { pid } = worker.child;
    const { log } = this.#options;
    worker.watch(
      {
        onUnresponsive: () => {
          log.warn({ index, pid }, 'a worker does not answer');
          // Until it answers again nginx finds the others only, if one of them answers.
          const isServed = this.#others(worker).some(({ isServing }) => isServing);
          if (isServed && !this.#closed) worker.hide();
        },
        onBack: () => worker.show(),
        onLost: () => {
          log.error({ index, pid }, 'a worker stands still: it is ended');
          worker.child.kill('SIGKILL');
        },
      },
      beats,
    );
  }

  #others(worker: ChildWorker): ChildWorker[] {
    return [...this.#started.values()].filter((one) => one !== worker);
  }
}

function spawnWorker({ timeoutMs, spools }: Pick<WorkersOptions, 'timeoutMs' | 'spools'>) {
  const isSource = import.meta.url.endsWith('.ts');
  const entry = new URL(
    isSource ? './worker/worker-main.ts' : './gateway-worker.js',
    import.meta.url,
  );
  const [node = process.execPath, ...before] = workerNode();
  const args = [
    ...before,
    ...MEMORY,
    fileURLToPath(entry),
    String(timeoutMs),
    spools.uses,
    spools.counts,
  ];
  const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const;
  return spawn(node, args, { detached: true, stdio: [...stdio] });
}
