/** Joins a client's WebSocket with that of an agent, or with a connection to a port of a job. */
import type { Duplex } from 'node:stream';
import {
  EXEC_CHANNELS,
  MAX_EXEC_PIECE,
  Malformed,
  parseExecInput,
  parseExecOutput,
} from '@dstack/contract/agent';
import { createWebSocketStream, type RawData, type WebSocket } from 'ws';

/** Codes of RFC 6455; 4xxx are ours: 4000 plus the status that HTTP would have. */
export const CLOSE = {
  done: 1000,
  goingAway: 1001,
  badMessage: 1007,
  revoked: 1008,
  lost: 1011,
  idle: 4408,
} as const;

/** Bytes that wait for the slower side; more are not read. */
const MOST_WAITING = 256 * 1024;

/** Time that a peer has to answer a close frame, in milliseconds. */
const CLOSING_MS = 2000;

export interface Relay {
  /** Resolves when both sides are closed. */
  readonly over: Promise<void>;
  /** Milliseconds of the last message. */
  readonly lastUse: () => number;
}

/** `now` in milliseconds. */
export function relayExec(client: WebSocket, agent: WebSocket, now: () => number): Relay {
  let lastUse = now();
  let isComplete = false;
  const forward = (to: WebSocket, from: WebSocket, data: Buffer | string, isBinary: boolean) => {
    lastUse = now();
    to.send(data, { binary: isBinary }, () => {
      if (from.isPaused && to.bufferedAmount < MOST_WAITING) from.resume();
    });
    if (to.bufferedAmount >= MOST_WAITING) from.pause();
  };
  client.on('message', (data, isBinary) => {
    try {
      if (isBinary ? isInput(data as Buffer) : parseExecInput(String(data)) !== null) {
        forward(agent, client, isBinary ? (data as Buffer) : String(data), isBinary);
      }
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      fail(client, 'bad_message', error.message, CLOSE.badMessage);
      agent.terminate();
    }
  });
  agent.on('message', (data, isBinary) => {
    const message = isBinary ? outputOf(data) : textOf(data);
    if (message === null) return;
    isComplete ||= !isBinary && /^\{"type":"(exit|error)"/.test(String(message));
    forward(client, agent, message, isBinary);
  });
  client.once('close', () => agent.terminate());
  agent.once('close', () => {
    if (isComplete) close(client, CLOSE.done);
    else fail(client, 'connection_lost', LOST, CLOSE.lost);
  });
  agent.on('error', () => agent.terminate());
  return { over: closed(client, agent), lastUse: () => lastUse };
}

const LOST = 'The connection to the host of the job was lost; the command may have ended';

/** The binary messages of a client are bytes of the port, and so are those to it. */
export function relayPort(client: WebSocket, port: Duplex, now: () => number): Relay {
  let lastUse = now();
  client.on('message', () => {
    lastUse = now();
  });
  const stream = createWebSocketStream(client, { allowHalfOpen: false });
  port.on('data', () => {
    lastUse = now();
  });
  stream.pipe(port);
  // The end of the stream would close without a code.
  port.pipe(stream, { end: false });
  port.once('end', () => close(client, CLOSE.done));
  stream.once('error', () => port.destroy());
  stream.once('close', () => port.destroy());
  port.once('error', () => close(client, CLOSE.lost));
  port.once('close', () => close(client, port.readableEnded ? CLOSE.done : CLOSE.lost));
  const over = new Promise<void>((resolve) => stream.once('close', resolve));
  return { over, lastUse: () => lastUse };
}

/** The last message of a command that was not started, or was lost. */
export function fail(client: WebSocket, code: string, message: string, closeCode: number): void {
  if (client.readyState !== client.OPEN) return;
  client.send(JSON.stringify({ type: 'error', code, message }), () => {});
  close(client, closeCode);
}

/** A client that does not answer the close frame is cut off. */
export function close(client: WebSocket, code: number): void {
  // A paused connection would not receive the answer.
  client.resume();
  client.close(code);
  const limit = setTimeout(() => client.terminate(), CLOSING_MS);
  client.once('close', () => clearTimeout(limit));
}

function isInput(data: Buffer): boolean {
  if (data[0] !== EXEC_CHANNELS.stdin) throw new Malformed('', 'is of an unknown channel');
  return true;
}

/** Null: not output. Agents may be newer, and hosts may send anything. */
function outputOf(data: RawData): Buffer | null {
  const bytes = data as Buffer;
  const isOutput = bytes[0] === EXEC_CHANNELS.stdout || bytes[0] === EXEC_CHANNELS.stderr;
  return isOutput && bytes.length <= MAX_EXEC_PIECE + 1 ? bytes : null;
}

/** With the fields of the protocol only. */
function textOf(data: RawData): string | null {
  try {
    const message = parseExecOutput(String(data));
    return message && JSON.stringify(message);
  } catch {
    return null;
  }
}

async function closed(...sockets: readonly WebSocket[]): Promise<void> {
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve) => {
          if (socket.readyState === socket.CLOSED) resolve();
          else socket.once('close', () => resolve());
        }),
    ),
  );
}
