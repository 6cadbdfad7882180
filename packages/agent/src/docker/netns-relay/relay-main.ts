/**
 * Runs inside the network namespace of a container. It connects and listens there for callers on a
 * unix socket outside (pathname sockets work across network namespaces). Argument: path of the
 * socket. It prints its namespace when it is ready, and ends with its standard input, so that it
 * never outlives the agent.
 */

import { readlinkSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { errorMessage } from '@dstack/contract/error-message';
import { joinConnections } from '@dstack/ssh/join-connections';
import { dialTcp } from '../../network/dial.ts';
import { listenTcp } from '../../network/listen.ts';
import { LineReader, parseRequest, type RelayTarget } from './relay-protocol.ts';

const server = createServer({ allowHalfOpen: true }, (caller) => {
  const reader = new LineReader();
  caller.on('error', () => caller.destroy());
  const onData = (data: Buffer) => {
    try {
      const header = reader.push(data);
      if (!header) return;
      caller.off('data', onData);
      caller.pause();
      if (header.rest.length > 0) caller.unshift(header.rest);
      void relay(caller, header.line);
    } catch {
      caller.destroy();
    }
  };
  caller.on('data', onData);
});

/** How long a connection waits until the agent takes it. */
const TAKE_MS = 10_000;
const waiting = new Map<number, Duplex>();
let nextId = 0;

async function relay(caller: Socket, line: string): Promise<void> {
  const request = parseRequest(line);
  try {
    if (!request) throw new Error('bad request');
    if (request.kind === 'listen') return await listen(caller, request.target);
    if (request.kind === 'take') return take(caller, request.id);
    join(caller, await dialTcp(request.target.host, request.target.port));
  } catch (error) {
    caller.end(`error ${errorMessage(error).replaceAll('\n', ' ')}\n`);
  }
}

async function listen(caller: Socket, { host, port }: RelayTarget): Promise<void> {
  const listener = await listenTcp(host, port, (connection, from) => {
    const id = nextId++;
    waiting.set(id, connection);
    connection.pause();
    connection.on('error', () => connection.destroy());
    setTimeout(() => {
      if (waiting.delete(id)) connection.destroy();
    }, TAKE_MS);
    caller.write(`${JSON.stringify({ id, ...from })}\n`);
  });
  caller.on('close', () => listener.close());
  caller.on('end', () => caller.end());
  caller.resume();
  if (caller.destroyed) listener.close();
  else caller.write(`ok ${listener.port}\n`);
}

function take(caller: Socket, id: number): void {
  const connection = waiting.get(id);
  if (!connection) throw new Error('no such connection');
  waiting.delete(id);
  join(caller, connection);
}

function join(caller: Socket, target: Duplex): void {
  if (caller.destroyed) {
    target.destroy();
    return;
  }
  caller.write('ok\n');
  joinConnections(caller, target);
}

const path = process.argv[2] ?? '';
server.listen(path, () => {
  process.stdout.write(`${readlinkSync('/proc/self/ns/net')}\n`);
});

function leave(): void {
  rmSync(path, { force: true });
  process.exit(0);
}
process.stdin.resume().on('end', leave).on('error', leave);
