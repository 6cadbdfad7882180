/** A worker of which only the connections are real: it answers each request with its process id, and obeys some. */
import { createServer } from 'node:http';
import { LISTENER_FD, spawnTaker } from '../../spawn-worker.ts';
import { WorkerConnections } from '../worker-connections.ts';

const [, ...args] = process.argv;
const connections = new WorkerConnections({
  ...{ fd: LISTENER_FD, led: process },
  onAccepting: () => {},
});

function obey(url: string): string {
  if (url === '/spawn') {
    const child = spawnTaker({ node: process.execPath, args, env: {}, logPath: '/dev/null' });
    connections.share(child);
    return String(child.pid);
  }
  if (url === '/stop') {
    connections.stop();
    setInterval(() => connections.areOver && process.exit(), 10);
  }
  return String(process.pid);
}

await connections.start(
  createServer((request, response) => void response.end(obey(request.url ?? '/'))),
);
