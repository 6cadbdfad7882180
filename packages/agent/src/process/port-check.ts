import { createServer } from 'node:net';
import { JobFailure } from '../executor/job-failure.ts';

/**
 * Process jobs share the ports of the host. Throws `JobFailure` if a port of this job is taken,
 * before its command runs into it.
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
