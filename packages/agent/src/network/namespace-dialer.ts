import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { nodeCommand, programEntry } from '../process/program-entry.ts';
import { dialTcp } from './dial.ts';

/** A relay costs some 40 MB, so it goes when nobody has used it for a while. */
const IDLE_MS = 60_000;

export interface NamespaceDialerOptions {
  /** A process in the network namespace, as this host numbers it; null = dial from here. */
  readonly pid: number | null;
  /** Where to look for the job's ports when its namespace cannot be entered. */
  readonly fallbackHost: string | null;
  /** Path of a unix socket for the relay. */
  readonly socket: string;
}

/**
 * Makes connections as a process inside a container would, so that servers bound to its loopback
 * can be reached: by a relay that is started in the container's network namespace and listens on a
 * unix socket of the host.
 */
export class NamespaceDialer {
  readonly #options: NamespaceDialerOptions;
  #relay: Promise<ChildProcess | null> | null = null;
  #open = 0;
  #idle: NodeJS.Timeout | null = null;

  constructor(options: NamespaceDialerOptions) {
    this.#options = options;
  }

  async dial(host: string, port: number): Promise<Duplex> {
    if (this.#options.pid === null) return dialTcp(host, port);
    this.#open += 1;
    this.#stopIdling();
    try {
      this.#relay ??= this.#start();
      const relay = await this.#relay;
      const stream = relay
        ? await dialRelay(this.#options.socket, host, port)
        : await this.#direct(host, port);
      stream.once('close', () => this.#release());
      return stream;
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  close(): void {
    this.#stopIdling();
    void this.#relay?.then((relay) => relay?.kill('SIGKILL'));
    this.#relay = null;
    rmSync(this.#options.socket, { force: true });
  }

  /** Null when this host does not let us into the namespace. */
  async #start(): Promise<ChildProcess | null> {
    const { pid, socket } = this.#options;
    if (process.getuid?.() !== 0) return null;
    rmSync(socket, { force: true });
    const entry = programEntry('relay.js', 'network/relay-main.ts');
    const args = [
      `--net=/proc/${pid}/ns/net`,
      ...nodeCommand(),
      '--max-old-space-size=64',
      entry,
      socket,
    ];
    const child = spawn('nsenter', args, { stdio: ['pipe', 'pipe', 'ignore'] });
    const ready = await new Promise<boolean>((resolve) => {
      child.once('error', () => resolve(false));
      child.once('exit', () => resolve(false));
      (child.stdout as Readable).once('data', () => resolve(true));
    });
    if (!ready) return null;
    child.once('exit', () => {
      this.#relay = null;
    });
    return child;
  }

  #direct(host: string, port: number): Promise<Duplex> {
    const { fallbackHost } = this.#options;
    const local = host === 'localhost' || host === '127.0.0.1' || host === '::1';
    if (local && fallbackHost === null) throw new Error('the job has no address on this host');
    return dialTcp(local && fallbackHost ? fallbackHost : host, port);
  }

  #release(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    this.#idle = setTimeout(() => this.close(), IDLE_MS);
    this.#idle.unref();
  }

  #stopIdling(): void {
    if (this.#idle) clearTimeout(this.#idle);
    this.#idle = null;
  }
}

/** One line asks, one line answers (`ok`, or the reason why not), then the bytes follow. */
function dialRelay(path: string, host: string, port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let answer = '';
    const onData = (piece: Buffer): void => {
      answer += piece.toString('latin1');
      const end = answer.indexOf('\n');
      if (end < 0) return;
      socket.off('data', onData);
      socket.pause();
      const line = answer.slice(0, end);
      if (line !== 'ok') {
        socket.destroy();
        reject(new Error(line));
        return;
      }
      const rest = Buffer.from(answer.slice(end + 1), 'latin1');
      if (rest.length > 0) socket.unshift(rest);
      socket.off('error', reject);
      resolve(socket);
    };
    socket.once('error', reject);
    socket.on('data', onData);
    socket.write(`${JSON.stringify({ host, port })}\n`);
  });
}
