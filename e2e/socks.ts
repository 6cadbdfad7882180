import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Connects to a host and port through a SOCKS5 proxy on loopback, as editors do with `ssh -D`. */
export async function throughSocks(
  proxy: number,
  port: number,
  host = '127.0.0.1',
): Promise<Socket> {
  const socket = connect({ port: proxy, host: '127.0.0.1' });
  await once(socket, 'connect');
  socket.write(Buffer.from([5, 1, 0]));
  await exactly(socket, 2);
  const name = Buffer.from(host);
  const target = Buffer.from([5, 1, 0, 3, name.length, ...name, port >> 8, port & 255]);
  socket.write(target);
  const answer = await exactly(socket, 10);
  if (answer[1] !== 0) throw new Error(`SOCKS refused: ${answer[1]}`);
  return socket;
}

async function exactly(socket: Socket, length: number): Promise<Buffer> {
  for (;;) {
    const bytes = socket.read(length) as Buffer | null;
    if (bytes !== null) return bytes;
    if (socket.readableEnded) throw new Error('the proxy closed the connection');
    await once(socket, 'readable');
  }
}

/** Sends one HTTP request and returns the complete answer as text. */
export async function httpOver(socket: Socket, path = '/'): Promise<string> {
  socket.write(`GET ${path} HTTP/1.0\r\nHost: localhost\r\n\r\n`);
  let text = '';
  for await (const chunk of socket) text += chunk;
  return text;
}
