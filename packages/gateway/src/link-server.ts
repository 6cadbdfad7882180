import { chmodSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import {
  type GatewayCommand,
  MAX_GATEWAY_LINE,
  parseGatewayCommand,
  parseGatewayOpening,
} from '@dstack/contract/agent';
import type { ProxyLog } from '@dstack/proxy';
import { LineStream } from '@dstack/proxy';
import { type FirstLine, readFirstLine, skipLine } from './first-line.ts';

/** A connection to a replica, of which this process reads nothing more. */
export interface TunnelEnd {
  readonly socket: Socket;
  /** The first line, which has been read already and is still in the buffer of the socket. */
  readonly opening: FirstLine;
}

/** The replica that a worker of an earlier process wants a connection to. */
export interface WantedTunnel {
  readonly host_id: string;
  readonly job_id: string;
  readonly port: number;
}

export interface LinkServerOptions {
  readonly path: string;
  readonly onOpen: () => void;
  readonly onOrder: (order: GatewayCommand) => void;
  readonly onClose: () => void;
  readonly onTunnel: (id: string, end: TunnelEnd) => void;
  readonly onRelay: (wanted: WantedTunnel, end: TunnelEnd) => void;
  readonly log: ProxyLog;
}

const MAX_OPENING = 1024;

/** Where the server connects, through the agent. The newest control connection counts. */
export class LinkServer {
  readonly #options: LinkServerOptions;
  readonly #server = createServer({ pauseOnConnect: true, highWaterMark: 1 }, (socket) =>
    readFirstLine(socket, MAX_OPENING, (first) => this.#opened(socket, first)),
  );
  #channel: LineStream | null = null;

  constructor(options: LinkServerOptions) {
    this.#options = options;
  }

  listen(): Promise<void> {
    const { path } = this.#options;
    const temporary = `${path}.${process.pid}`;
    rmSync(temporary, { force: true });
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(temporary, () => {
        chmodSync(temporary, 0o600);
        renameSync(temporary, path);
        resolve();
      });
    });
  }

  get isOpen(): boolean {
    return this.#channel !== null;
  }

  /** Returns whether there is a server to receive it. */
  send(frame: object): boolean {
    this.#channel?.send(frame);
    return this.#channel !== null;
  }

  close(): void {
    this.#server.close();
    this.#channel?.close();
  }

  #opened(socket: Socket, first: FirstLine | null): void {
    const { onOpen, onOrder, onClose, onTunnel, onRelay, log } = this.#options;
    try {
      const opening = parseGatewayOpening(first?.line ?? '');
      if (first !== null && opening?.type === 'tunnel') {
        onTunnel(opening.id, { socket, opening: first });
        return;
      }
      if (first !== null && opening?.type === 'relay') {
        onRelay(opening, { socket, opening: first });
        return;
      }
      if (opening?.type !== 'control') throw new Error('an unknown kind of connection');
    } catch (error) {
      log.warn({ err: error }, 'a connection was refused');
      socket.destroy();
      return;
    }
    if (first) skipLine(socket, first);
    this.#channel?.close();
    const channel: LineStream = new LineStream(socket, {
      onLine: (text) => {
        const order = parseGatewayCommand(text);
        if (order !== null && this.#channel === channel) onOrder(order);
      },
      onEnd: (error) => {
        if (error) log.warn({ err: error }, 'the link to the server has failed');
        if (this.#channel !== channel) return;
        this.#channel = null;
        onClose();
      },
      longest: MAX_GATEWAY_LINE,
    });
    this.#channel = channel;
    socket.resume();
    onOpen();
  }
}
