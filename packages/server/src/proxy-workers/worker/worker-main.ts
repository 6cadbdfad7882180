/** The program of a proxy worker. The server starts it with a listening socket. */
import { parseArgs } from 'node:util';
import { WorkerControl } from './worker-control.ts';

// Sockets and files are for this user only.
process.umask(0o077);

const { values } = parseArgs({
  options: {
    dir: { type: 'string', default: '' },
    id: { type: 'string', default: '' },
    socket: { type: 'string', default: '' },
    build: { type: 'string', default: '' },
    host: { type: 'string', default: '' },
    port: { type: 'string', default: '' },
    url: { type: 'string', default: '' },
    behind: { type: 'string' },
  },
});
const { dir, id, socket, build, host, port, url, behind = null } = values;
const address = { host, port: Number(port), url, behind };
new WorkerControl({ dir, id, socket, build, address }).start();
