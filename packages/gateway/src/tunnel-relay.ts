/** The way to replicas for workers that have outlived their main process. */
import { connect, type Socket } from 'node:net';
import { joinConnections } from '@dstack/ssh/join-connections';
import { type FirstLine, skipLine } from './first-line.ts';
import type { TunnelEnd, WantedTunnel } from './link-server.ts';

/** Receives a connection that the server has opened, or the reason why there is none. */
export interface TunnelTaker {
  passTunnel(id: string, end: TunnelEnd): void;
  send(refusal: { readonly type: 'no-tunnel'; readonly id: string; readonly error: string }): void;
}

const READY = 'ok';

/**
 * A worker of an earlier process finishes its requests, and has no link to the server: its connections pass
 * through this process. The answer is one line, `ok` or the reason why there is none.
 */
export class TunnelRelay implements TunnelTaker {
  readonly #worker: Socket;
  readonly #opening: FirstLine;

  constructor(worker: Socket, opening: FirstLine) {
    this.#worker = worker;
    this.#opening = opening;
  }

  passTunnel(_id: string, { socket, opening }: TunnelEnd): void {
    if (this.#worker.destroyed) {
      socket.destroy();
      return;
    }
    skipLine(this.#worker, this.#opening);
    skipLine(socket, opening);
    this.#worker.write(`${READY}\n`);
    joinConnections(this.#worker, socket);
  }

  send({ error }: { readonly error: string }): void {
    this.#worker.end(`${error}\n`);
  }
}

/** For a worker: a connection through the process that listens at this path. `lost`: why there is none. */
export async function askRelay(
  path: string,
  wanted: WantedTunnel,
  { limitMs, lost }: { readonly limitMs: number; readonly lost: string },
): Promise<Socket> {
  const socket = connect(path);
  const timer = setTimeout(() => socket.destroy(), limitMs);
  try {
    socket.write(`${JSON.stringify({ type: 'relay', ...wanted })}\n`);
    const answer = await answerOn(socket, lost);
    if (answer === READY) return socket;
    throw new Error(answer);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The first line. The connection is as a new one afterwards: it flows once it has a listener. */
function answerOn(socket: Socket, lost: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0);
    const onReadable = () => {
      for (let bytes = socket.read(); bytes !== null; bytes = socket.read()) {
        head = Buffer.concat([head, bytes]);
      }
      const end = head.indexOf(10);
      if (end < 0) return;
      socket.off('readable', onReadable);
      if (end + 1 < head.length) socket.unshift(head.subarray(end + 1));
      resolve(head.toString('utf8', 0, end));
    };
    socket.on('readable', onReadable);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => reject(new Error(lost)));
  });
}
