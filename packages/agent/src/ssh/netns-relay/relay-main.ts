/**
 * Runs inside the network namespace of a container and connects to what is there, for callers on a
 * unix socket outside (pathname sockets work across network namespaces). Argument: path of the
 * socket. Prints the namespace it is in when it is ready; ends when its standard input does, so that
 * it never outlives the agent.
 */
import { readlinkSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { dialTcp } from '../../network/dial.ts';
import { LineReader, parseTarget } from './relay-protocol.ts';

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

async function relay(caller: Socket, line: string): Promise<void> {
  const target = parseTarget(line);
  if (!target) {
    caller.end('error bad target\n');
    return;
  }
  try {
    join(caller, await dialTcp(target.host, target.port));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    caller.end(`error ${reason.replaceAll('\n', ' ') || 'cannot connect'}\n`);
  }
}

function join(caller: Socket, target: Duplex): void {
  // A connection that was reset, not ended, must not look ended to the other side.
  target.on('error', () => caller.destroy());
  target.on('close', () => {
    if (!target.readableEnded) caller.destroy();
  });
  caller.on('close', () => target.destroy());
  if (caller.destroyed) {
    target.destroy();
    return;
  }
  caller.write('ok\n');
  caller.pipe(target);
  target.pipe(caller);
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
