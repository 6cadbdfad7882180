import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { nodeCommand, programEntry } from '../../host/program-entry.ts';
import { readLines } from '../../network/json-lines.ts';
import type { Listener, OnCaller } from '../../network/listen.ts';
import { LineReader } from './relay-protocol.ts';

export interface ContainerDialerOptions {
  /** For the relay's unix socket: in a private directory, at most 107 bytes. */
  readonly socketPath: string;
  /** How long the relay lives after the last connection; a minute by default. */
  readonly idleMs?: number;
}

/** Connects to ports as a process in the container would. */
export interface ContainerDialer {
  /** Rejects if nothing answers there or the container has ended, and with `CannotEnterError`. */
  dial(host: string, port: number): Promise<Duplex>;
  /** Listens in the container, by the same relay. */
  listen(host: string, port: number, onCaller: OnCaller): Promise<Listener>;
  /** Ends the relay and all its connections. Call it when the container has ended. */
  close(): Promise<void>;
}

/** The namespace cannot be entered: `nsenter` is missing or not permitted. */
export class CannotEnterError extends Error {}

const IDLE_MS = 60_000;

/**
 * Connects inside the network namespace of a container, found by its first process. Apps on the
 * container's own loopback cannot be reached in any other way. The first connection starts a relay
 * process there (40 MB), which ends when it was idle for a while. Needs root and `nsenter`. Throws
 * if the process does not exist.
 */
export function dialIntoContainer(pid: number, options: ContainerDialerOptions): ContainerDialer {
  const namespace = readlinkSync(`/proc/${pid}/ns/net`);
  return new NamespaceDialer(pid, namespace, options);
}

interface Relay {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
}

class NamespaceDialer implements ContainerDialer {
  readonly #pid: number;
  readonly #namespace: string;
  readonly #options: ContainerDialerOptions;
  #relay: Promise<Relay> | null = null;
  #open = 0;
  #idle: NodeJS.Timeout | undefined;
  #stopped: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(pid: number, namespace: string, options: ContainerDialerOptions) {
    this.#pid = pid;
    this.#namespace = namespace;
    this.#options = options;
  }

  async dial(host: string, port: number): Promise<Duplex> {
    return (await this.#ask({ host, port })).socket;
  }

  async listen(host: string, port: number, onCaller: OnCaller): Promise<Listener> {
    const { socket, answer } = await this.#ask({ listen: host, port });
    readLines(socket, (line) => {
      const { id, ...caller } = JSON.parse(line);
      const take = this.#ask({ take: id });
      // The caller has given up, or the relay has ended.
      take.then(({ socket: connection }) => onCaller(connection, caller)).catch(() => {});
    });
    socket.on('error', () => socket.destroy());
    socket.resume();
    return { port: Number(answer), close: () => socket.destroy() };
  }

  async #ask(request: unknown): Promise<{ readonly socket: Socket; readonly answer: string }> {
    this.#opened();
    try {
      await this.#running();
      const asked = await askRelay(this.#options.socketPath, request);
      asked.socket.once('close', () => this.#ended());
      return asked;
    } catch (error) {
      this.#ended();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idle);
    this.#stop();
    await this.#stopped;
  }

  #opened(): void {
    this.#open += 1;
    clearTimeout(this.#idle);
  }

  #ended(): void {
    this.#open -= 1;
    if (this.#open > 0 || this.#closed) return;
    this.#idle = setTimeout(() => this.#stop(), this.#options.idleMs ?? IDLE_MS);
    this.#idle.unref();
  }

  #running(): Promise<Relay> {
    if (this.#closed) return Promise.reject(new Error('the container has ended'));
    const relay = this.#relay ?? this.#start();
    if (relay !== this.#relay) {
      this.#relay = relay;
      const forget = () => {
        if (this.#relay === relay) this.#relay = null;
      };
      // The next connection starts a new relay if this one has ended.
      relay.then(({ exited }) => exited.then(forget), forget);
    }
    return relay;
  }

  async #start(): Promise<Relay> {
    await this.#stopped;
    const { socketPath } = this.#options;
    rmSync(socketPath, { force: true });
    const program = programEntry('netns-relay.js', 'docker/netns-relay/relay-main.ts');
    // The short option, because busybox has no other.
    const command = [`-n/proc/${this.#pid}/ns/net`, '--', ...nodeCommand()];
    const child = spawn('nsenter', [...command, '--max-old-space-size=64', program, socketPath], {
      stdio: 'pipe',
      cwd: '/',
    });
    const exited = new Promise((resolve) => {
      child.once('error', resolve);
      child.once('exit', resolve);
    }).then(() => rmSync(socketPath, { force: true }));
    child.stdin.on('error', () => {});
    const namespace = await firstLine(child);
    if (namespace !== this.#namespace) {
      // The process number was given to another process.
      child.kill('SIGKILL');
      throw new Error('the container has ended');
    }
    return { child, exited };
  }

  #stop(): void {
    const starting = this.#relay;
    if (!starting) return;
    this.#relay = null;
    this.#stopped = starting.then(
      async ({ child, exited }) => {
        child.kill('SIGKILL');
        await exited;
      },
      // It has not started, so there is nothing to stop.
      () => {},
    );
  }
}

/**
 * Returns the line that the relay prints when it is ready. Throws with the relay's own message if
 * it cannot start.
 */
function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let [output, errors] = ['', ''];
    child.stdout?.on('data', (data) => {
      output += data;
      if (output.includes('\n')) resolve(output.slice(0, output.indexOf('\n')));
    });
    child.stderr?.on('data', (data) => {
      errors = (errors + data).slice(-500);
    });
    child.once('error', (error) => reject(new CannotEnterError(`start nsenter: ${error.message}`)));
    child.once('close', (code) => {
      const reason = errors.trim() || `exit code ${code}`;
      reject(new CannotEnterError(`enter the container's network: ${reason}`));
    });
  });
}

async function askRelay(
  socketPath: string,
  request: unknown,
): Promise<{ readonly socket: Socket; readonly answer: string }> {
  const socket = connect({ path: socketPath, allowHalfOpen: true });
  try {
    await once(socket, 'connect');
    socket.write(`${JSON.stringify(request)}\n`);
    const answer = await readLine(socket);
    if (!answer.startsWith('ok')) throw new Error(answer.replace(/^error /, ''));
    return { socket, answer: answer.slice('ok '.length) };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Reads one line and leaves the rest in the socket. */
function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new LineReader();
    const settle = (action: () => void) => {
      socket.off('data', onData);
      socket.off('error', onError);
      socket.off('close', onClose);
      action();
    };
    const onError = (error: Error) => settle(() => reject(error));
    const onClose = () => settle(() => reject(new Error('the relay has ended')));
    const onData = (data: Buffer) => {
      try {
        const header = reader.push(data);
        if (!header) return;
        socket.pause();
        settle(() => resolve(header.line));
        if (header.rest.length > 0) socket.unshift(header.rest);
      } catch (error) {
        settle(() => reject(error));
      }
    };
    socket.on('data', onData);
    socket.on('error', onError);
    socket.on('close', onClose);
  });
}
