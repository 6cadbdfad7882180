/**
 * Runs inside the network namespace of a container and connects to what is there, for callers on a
 * unix socket outside (pathname sockets work across network namespaces). Argument: path of the
 * socket. Prints the namespace it is in when it is ready; ends when its standard input does, so that
 * it never outlives the agent.
 */
import { readlinkSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
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
      relay(caller, header.line);
    } catch {
      caller.destroy();
    }
  };
  caller.on('data', onData);
});

function relay(caller: Socket, line: string): void {
  const target = parseTarget(line);
  if (!target) {
    caller.end('error bad target\n');
    return;
  }
  let connected = false;
  const socket = connect({
    ...target,
    allowHalfOpen: true,
    autoSelectFamily: true,
    noDelay: true,
  });
  socket.on('error', (error) => {
    if (connected) caller.destroy();
    else caller.end(`error ${error.message.replaceAll('\n', ' ') || 'cannot connect'}\n`);
  });
  socket.on('connect', () => {
    connected = true;
    caller.write('ok\n');
    caller.pipe(socket);
    socket.pipe(caller);
  });
  // A connection that was reset, not ended, must not look ended to the other side.
  socket.on('close', () => {
    if (connected && !socket.readableEnded) caller.destroy();
  });
  caller.on('close', () => socket.destroy());
}

server.listen(process.argv[2], () => {
  process.stdout.write(`${readlinkSync('/proc/self/ns/net')}\n`);
});
process.stdin.resume().on('end', () => process.exit(0));
process.stdin.on('error', () => process.exit(0));
