import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { type ExecutionExit, JobFailure } from '../jobs/executor.ts';

/** Containers are ended this long before their daemon's own end, at most (its shutdown time-out). */
const SHUTDOWN_MS = 20_000;
/** Statuses from here on tell of a signal, or of nothing: Docker writes 255 for "not known". */
const FIRST_OF_SIGNALS = 128;
const ANSWER_MS = 1000;
const RECONNECT_MS = 500;
/** A restart of the daemon, with containers to end, takes no longer. */
const RESTART_MS = 30_000;

/** Where a daemon listens, as its client was told. */
interface Modem {
  readonly socketPath?: string;
  readonly host?: string;
  readonly port?: number;
}

/**
 * Notices the ends of a Docker daemon by an idle connection to it: a daemon that comes back soon
 * looks as if it had never been away, but for the containers it has ended.
 */
export class DaemonWatch {
  readonly #docker: Docker;
  #socket: Socket | null = null;
  #lostAt = 0;
  #keepsContainers = false;
  #closed = false;

  constructor(docker: Docker) {
    this.#docker = docker;
    this.#connect();
  }

  /**
   * Whether a container that ended with this status at `finishedAt` (milliseconds) has probably been
   * ended by its daemon. False where the daemon is set up to leave containers alone (`live-restore`).
   */
  async endedContainers(status: number, finishedAt: number): Promise<boolean> {
    if (status < FIRST_OF_SIGNALS || this.#keepsContainers) return false;
    if (this.#lostAt > 0 && this.#lostAt >= finishedAt - SHUTDOWN_MS) return true;
    // On its way out it still has the answer to a question that came before, and takes no new one.
    return !(await this.#answers());
  }

  /** Waits a while for a daemon that is just being restarted; throws `JobFailure` when it stays away. */
  async untilAnswers(signal: AbortSignal): Promise<void> {
    for (const end = Date.now() + RESTART_MS; !(await this.#answers()); ) {
      signal.throwIfAborted();
      if (Date.now() >= end) {
        const seconds = RESTART_MS / 1000;
        const message = `The Docker daemon of the host has not answered for ${seconds} seconds: see \`systemctl status docker\` there`;
        throw new JobFailure('creating_container_error', message);
      }
      await delay(RECONNECT_MS);
    }
  }

  close(): void {
    this.#closed = true;
    this.#socket?.destroy();
  }

  #connect(): void {
    if (this.#closed) return;
    const socket = connect(this.#address());
    this.#socket = socket.unref();
    let connected = false;
    socket.once('connect', () => {
      connected = true;
      this.#docker.info().then(
        ({ LiveRestoreEnabled }) => {
          this.#keepsContainers = LiveRestoreEnabled;
        },
        // The next connection asks again.
        () => socket.destroy(),
      );
    });
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      if (connected) this.#lostAt = Date.now();
      setTimeout(() => this.#connect(), RECONNECT_MS).unref();
    });
  }

  #address(): { path: string } | { host: string; port: number } {
    const { socketPath, host = 'localhost', port = 2375 } = this.#docker.modem as Modem;
    return socketPath ? { path: socketPath } : { host, port };
  }

  /** Over a new connection: those that are open are served to the end. */
  async #answers(): Promise<boolean> {
    const address = this.#address();
    const where = 'path' in address ? { socketPath: address.path } : address;
    return await new Promise((resolve) => {
      const asking = request({ ...where, path: '/_ping', agent: false, timeout: ANSWER_MS });
      asking.on('response', (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      });
      asking.on('timeout', () => asking.destroy());
      asking.on('error', () => resolve(false));
      asking.on('close', () => resolve(false));
      asking.end();
    });
  }
}

export function endedWithDaemon(status: number): ExecutionExit {
  const message =
    'The Docker daemon of the host was stopped, and its containers with it; with `"live-restore": true` in its /etc/docker/daemon.json jobs outlive its restarts';
  return { status, reason: 'container_exited_with_error', message };
}
