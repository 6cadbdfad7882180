/**
 * An app that answers with the bytes it has received, on port 8000 of the job's own address. It understands nothing
 * of them: so it shows what a proxy has made of a request, and how the strictest or the laxest app would read it.
 */
import { createServer } from 'node:net';

/** Milliseconds without a byte after which a connection is answered. */
const SILENCE = 150;

const { DSTACK_LISTEN_ADDRESS: address } = process.env;

const server = createServer((socket) => {
  const parts: Buffer[] = [];
  let timer: NodeJS.Timeout | null = null;
  const answer = () => {
    const body = JSON.stringify({ received: Buffer.concat(parts).toString('base64') });
    const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n`;
    socket.end(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
  };
  socket.on('data', (part) => {
    parts.push(part);
    if (timer) clearTimeout(timer);
    timer = setTimeout(answer, SILENCE);
  });
  socket.on('error', () => socket.destroy());
});
server.listen({ port: 8000, host: address, backlog: 1024 });
process.on('SIGTERM', () => process.exit(0));
