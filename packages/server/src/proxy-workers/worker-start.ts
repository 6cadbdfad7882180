import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeSocketFolder } from '../hosts/socket-folder.ts';
import type { Address, Spawn } from './protocol.ts';
import { spawnWorker } from './spawn-worker.ts';
import { HELLO_MS, NoHello, type WorkerLink } from './worker-link.ts';
import {
  announceWorker,
  deleteRecord,
  isWorkerAlive,
  killWorker,
  logPath,
  startTimeOf,
  type WorkerPaths,
  type WorkerRecord,
  withdrawAnnouncement,
  writeRecord,
} from './worker-records.ts';

export interface WorkerStartOptions {
  readonly paths: WorkerPaths;
  readonly build: string;
  readonly node: string;
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
  /** The worker by which one is started answers within this time, in milliseconds. */
  readonly askMs: number;
  readonly open: (socket: string) => Promise<WorkerLink>;
}

/** Where a worker gets the listening socket from. */
export type StartedFrom = { readonly through: WorkerLink } | { readonly listenerFd: number };

/** A started worker answers within this time, in milliseconds. */
const START_MS = 15_000;
const ASK_MS = 10;

/** New objects get at most 16 MB before they are collected: less memory under load, at the same CPU per request. */
const YOUNG_MEMORY = '--max-semi-space-size=16';

/** Starts workers. */
export class WorkerStart {
  readonly #options: WorkerStartOptions;

  constructor(options: WorkerStartOptions) {
    this.#options = options;
  }

  /** Rejects once the worker has ended, or does not answer in time: then it is ended. */
  async start(address: Address, from: StartedFrom): Promise<WorkerLink> {
    const { paths, build, askMs } = this.#options;
    const id = randomUUID();
    const socket = join(paths.sockets, `${id.slice(0, 8)}.sock`);
    mkdirSync(paths.dir, { recursive: true, mode: 0o700 });
    makeSocketFolder(socket);
    const spawn = this.#command(id, socket, address);
    // It holds the address from the moment when it is made, and writes its record only when it runs: the
    // next server must find it even if this one is killed at any time in between.
    announceWorker(paths.dir, id);
    const pid =
      'through' in from
        ? await from.through.ask<number | null>('spawn', spawn, askMs)
        : spawnWorker(spawn, from.listenerFd).pid;
    const record =
      typeof pid === 'number'
        ? { id, pid, startTime: startTimeOf(pid), socket, address, build }
        : null;
    if (record !== null) writeRecord(paths.dir, record);
    withdrawAnnouncement(paths.dir, id);
    return await this.#answer(socket, record);
  }

  #command(id: string, socket: string, { host, port, url, behind }: Address): Spawn {
    const { paths, node, program, env, build } = this.#options;
    const place = { host, port: String(port), url, ...(behind && { behind }) };
    const options = { dir: paths.dir, id, socket, build, ...place };
    const args = [
      ...[YOUNG_MEMORY, program],
      ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
    ];
    return { node, args, env, logPath: logPath(paths.dir) };
  }

  async #answer(socket: string, record: WorkerRecord | null): Promise<WorkerLink> {
    // A pause of this process takes nothing of the time of the worker.
    for (let waitedMs = 0; ; await delay(ASK_MS)) {
      try {
        return await this.#options.open(socket);
      } catch (error) {
        waitedMs += error instanceof NoHello ? HELLO_MS : ASK_MS;
        const hasEnded = record !== null && !isWorkerAlive(record);
        if (!hasEnded && waitedMs < START_MS) continue;
        if (record !== null) await this.#giveUp(record);
        throw error;
      }
    }
  }

  async #giveUp(record: WorkerRecord): Promise<void> {
    await killWorker(record);
    if (!isWorkerAlive(record)) deleteRecord(this.#options.paths.dir, record);
  }
}
