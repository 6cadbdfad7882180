import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ProxyLog } from '@dstack/proxy';
import type { TunnelEnd } from './link-server.ts';
import type { FromWorker, ToWorker, TunnelOpen } from './worker/messages.ts';
import { workerNode } from './worker/template-program.ts';

export interface WorkersOptions {
  readonly runtime: string;
  /** Group id of the sockets; null = this process is not root. */
  readonly group: number | null;
  readonly timeoutMs: number;
  /** Where they store what requests to models have used. */
  readonly usageDir: string;
  /** Messages that each new worker receives before it listens. */
  readonly initial: () => readonly ToWorker[];
  readonly onMessage: (from: Worker, message: FromWorker) => void;
  readonly onExit: (worker: Worker) => void;
  readonly log: ProxyLog;
}

export interface Worker {
  send(message: ToWorker): void;
  passTunnel(id: string, end: TunnelEnd): void;
}

/** Two, so that one answers while the other is started again. */
const COUNT = 2;
const RESTART_MS = 250;
/** New objects get at most 16 MB before they are collected, instead of 32: less memory under load. */
const MEMORY = ['--max-old-space-size=512', '--max-semi-space-size=16'];

/** The processes that carry requests. */
export class Workers {
  readonly #options: WorkersOptions;
  readonly #children = new Map<number, ChildProcess & Worker>();
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

  sendAll(message: ToWorker): void {
    for (const child of this.#children.values()) child.send(message);
  }

  get all(): Worker[] {
    return [...this.#children.values()];
  }

  /** They go on until others have taken their sockets. */
  leave(): void {
    this.#closed = true;
    for (const child of this.#children.values()) if (child.connected) child.disconnect();
  }

  /** Ends them with the gateway. */
  kill(): void {
    this.#closed = true;
    for (const child of this.#children.values()) child.kill('SIGKILL');
  }

  #socket(index: number): string {
    return `${this.#options.runtime}/worker-${index}.sock`;
  }

  #start(index: number): Promise<void> {
    const { group, timeoutMs, usageDir, initial, onMessage, onExit, log } = this.#options;
    const isSource = import.meta.url.endsWith('.ts');
    const entry = new URL(
      isSource ? './worker/worker-main.ts' : './gateway-worker.js',
      import.meta.url,
    );
    const [node = process.execPath, ...before] = workerNode();
    const args = [...before, ...MEMORY, fileURLToPath(entry), String(timeoutMs), usageDir];
    const child = workerOf(
      spawn(node, args, { detached: true, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
    );
    this.#children.set(index, child);
    for (const message of initial()) child.send(message);
    child.send({ type: 'start', socket: this.#socket(index), group });
    child.on('error', (error) => log.error({ err: error }, 'a worker has failed'));
    child.on('exit', (code, signal) => {
      onExit(child);
      if (this.#closed || this.#children.get(index) !== child) return;
      log.warn({ index, code, signal }, 'a worker has ended; another one is started');
      setTimeout(() => !this.#closed && void this.#start(index), RESTART_MS);
    });
    return new Promise((resolve) => {
      child.on('message', (message: FromWorker) => {
        if (message.type === 'listening') resolve();
        else onMessage(child, message);
      });
    });
  }
}

function workerOf(child: ChildProcess): ChildProcess & Worker {
  return Object.assign(child, {
    passTunnel(id: string, { socket, opening }: TunnelEnd): void {
      const head = opening.rest.toString('base64');
      const message: TunnelOpen = { type: 'tunnel-open', id, head };
      child.send(message, socket, (error) => error && socket.destroy());
    },
  });
}
