/** An app for suites: pages, and WebSockets that return what they receive. On port 8000 of the job's own address. */
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const { DSTACK_LISTEN_ADDRESS: address } = process.env;

const server = createServer((request, response) => {
  request.resume().on('end', () => response.end('a page\n'));
});
const sockets = new WebSocketServer({ server, perMessageDeflate: true });
sockets.on('connection', (socket) => {
  socket.on('message', (data, binary) => socket.send(data, { binary }));
  // The suites break the protocol on purpose.
  socket.on('error', () => {});
});
server.listen(8000, address);
process.on('SIGTERM', () => process.exit(0));
