/** Holds a network namespace, and hands a socket that listens in it to the process outside. */
import { createServer } from 'node:net';

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  process.send?.(server.address(), server, () => server.close());
});
process.on('disconnect', () => process.exit(0));
