/** A worker of which only the connections are real: it answers each request with its process id, and obeys some. */
import { createServer } from 'node:http';
import { listenerFds, spawnTaker } from '../../spawn-worker.ts';
import { WorkerConnections } from '../worker-connections.ts';

const [, ...args] = process.argv;
const connections = new WorkerConnections({
  ...{ fds: listenerFds(), led: process },
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
