import { createServer } from 'node:net';
import { JobFailure } from '../executor/job-failure.ts';

/**
 * Jobs on the bare machine share its ports. Fails while one that this job needs is taken, before
 * its command finds out by itself. Throws `JobFailure`.
 */
export async function checkPorts(ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    const error = await tryPort(port);
    if (error) {
      const why = error.code === 'EADDRINUSE' ? 'is already in use on this host' : error.message;
      throw new JobFailure('ports_binding_failed', `Port ${port} ${why}`);
    }
  }
}

function tryPort(port: number): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen({ port, host: '0.0.0.0', exclusive: true }, () =>
      server.close(() => resolve(null)),
    );
  });
}
