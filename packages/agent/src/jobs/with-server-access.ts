import { errorMessage } from '@dstack/contract/error-message';
import type { Executor } from '../executor/executor.ts';
import { JobFailure } from '../executor/job-failure.ts';
import type { EventLogger } from '../host/log.ts';
import type { JobAccess, JobAccessOptions, OpenJobAccess } from './job-access.ts';
import { ServerAccess } from './server-access.ts';

export interface ServerAccessOptions {
  readonly openAccess: OpenJobAccess;
  readonly executor: Pick<Executor, 'serverSocket'>;
  readonly log: EventLogger;
}

/** Access to a job, and from the job to the API of its server if the job is allowed to use it. */
export function withServerAccess(
  options: ServerAccessOptions,
  onTunnel: (jobId: string, tunnel: string) => void,
): OpenJobAccess {
  return async (request) => {
    const access = await options.openAccess(request);
    if (access === null || request.over || !request.spec.server_access) return access;
    try {
      const server = await openServer(options, request, onTunnel);
      return server === null ? access : withServer(access, server);
    } catch (error) {
      await access.close();
      throw error;
    }
  };
}

async function openServer(
  { executor, log }: ServerAccessOptions,
  { spec, folder, account, preferredPort }: JobAccessOptions,
  onTunnel: (jobId: string, tunnel: string) => void,
): Promise<ServerAccess | null> {
  const socket = executor.serverSocket(folder, account());
  try {
    return await ServerAccess.open(socket, (tunnel) => onTunnel(spec.id, tunnel));
  } catch (error) {
    const why = errorMessage(error);
    const message = `The job has no access to the server: ${socket.path} cannot be made (${why})`;
    // A running job continues without the access.
    if (preferredPort === null) throw new JobFailure('executor_error', message);
    log.error('no access to the server', error, { job: spec.id });
    return null;
  }
}

function withServer(access: JobAccess, server: ServerAccess): JobAccess {
  return {
    port: access.port,
    tunnels: server,
    lastActivity: () => access.lastActivity(),
    authorizeUsers: (keys) => access.authorizeUsers(keys),
    ended: async () => {
      await Promise.all([server.close(), access.ended()]);
    },
    close: async () => {
      await Promise.all([server.close(), access.close()]);
    },
  };
}
