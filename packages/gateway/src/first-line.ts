import type { Socket } from 'node:net';

/**
 * Reads the first line of a connection, and no more: the rest may be of a process that gets the socket.
 * The socket is paused afterwards, with what came behind the line in it. `next` is called once, with null
 * if the line has more than `longest` bytes, and never if the connection ends before.
 */
export function readFirstLine(
  socket: Socket,
  longest: number,
  next: (line: string | null) => void,
): void {
  let head = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  const onData = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf(10);
    if (end < 0 && head.length < longest) return;
    socket.off('data', onData);
    socket.pause();
    if (end < 0 || end > longest) {
      next(null);
      return;
    }
    const rest = head.subarray(end + 1);
    if (rest.length > 0) socket.unshift(rest);
    next(head.toString('utf8', 0, end));
  };
  socket.on('data', onData);
  socket.resume();
}
