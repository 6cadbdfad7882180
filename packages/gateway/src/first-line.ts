import type { Socket } from 'node:net';

export interface FirstLine {
  readonly line: string;
  /** Bytes that were read together with the line. */
  readonly rest: Buffer;
}

/**
 * Reads the first line of a connection, and leaves all that was read in its buffer. Where one byte fills the
 * buffer (`highWaterMark: 1`), Node then reads nothing more: what follows stays in the kernel for a process that
 * gets the socket. A process that goes on with the connection itself calls `skipLine` first. `next` is called
 * once, with null if the line has more than `longest` bytes, and never if the connection ends before.
 */
export function readFirstLine(
  socket: Socket,
  longest: number,
  next: (first: FirstLine | null) => void,
): void {
  let head = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  const onData = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf(10);
    if (end < 0 && head.length < longest) return;
    socket.off('data', onData);
    socket.pause();
    socket.unshift(head);
    const isLine = end >= 0 && end <= longest;
    const first = { line: head.toString('utf8', 0, end), rest: head.subarray(end + 1) };
    // Node looks at the buffer after this function.
    process.nextTick(() => next(isLine ? first : null));
  };
  socket.on('data', onData);
  socket.resume();
}

/** The buffer of the connection begins behind the line from now on. */
export function skipLine(socket: Socket, { rest }: FirstLine): void {
  socket.read();
  if (rest.length > 0) socket.unshift(rest);
}
