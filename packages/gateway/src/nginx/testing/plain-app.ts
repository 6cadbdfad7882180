/** An app for tests: answers with what it has received, or as the path demands. */
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

const [name = '', address = '', port = ''] = process.argv.slice(2);
let isBroken = false;
/** Requests that got an interim answer. */
let early = 0;

const server = createServer(async (request, response) => {
  const url = request.url ?? '';
  response.setHeader('x-replica', name);
  response.setHeader('x-dstack-user', 'forged');
  if (url.startsWith('/stream')) {
    response.write('first\n');
    while (!response.destroyed) {
      await delay(50);
      response.write('more\n');
    }
    return;
  }
  if (url.startsWith('/early')) {
    early += 1;
    response.setHeader('x-early', early);
    response.writeEarlyHints({ link: '</style.css>; rel=preload' });
  }
  if (url.startsWith('/slow')) await delay(Number(url.split('=')[1] ?? 300));
  if (url.startsWith('/die')) {
    request.socket.destroy();
    return;
  }
  const body = await text(request);
  response.statusCode = isBroken ? 500 : 200;
  const { method, headers } = request;
  response.end(JSON.stringify({ name, method, url, headers, body }));
});
server.on('upgrade', (_request, socket) => {
  socket.end(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
  );
});
server.keepAliveTimeout = 5000;
server.listen({ host: address, port: Number(port), backlog: 1024 }, () =>
  process.send?.('listening'),
);
process.on('message', (message) => {
  isBroken = message === 'break';
});
process.on('disconnect', () => process.exit(0));
