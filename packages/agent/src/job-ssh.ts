import { errorMessage } from '@dstack/contract/error-message';
import { JobFailure } from './executor/job-failure.ts';
import type { EventLogger } from './host/log.ts';
import type { JobAccess, JobAccessOptions, OpenJobAccess } from './jobs/job-access.ts';
import { NODE_SSH_PORT } from './network/node-ssh-port.ts';
import { hostKey } from './ssh/host-key-file.ts';
import { startJobSsh } from './ssh/job-ssh-server.ts';
import { NodeGateway, type OpenNode } from './ssh/node-gateway.ts';
import type { RunSession } from './ssh/session.ts';
import { sessionRunner } from './ssh/sessions/run-session.ts';

/**
 * Opens the SSH server of a job and the access for its other nodes, with one host key for all jobs.
 */
export function openJobAccess(stateDir: string, log: EventLogger): OpenJobAccess {
  const hostKeyPem = hostKey(stateDir);
  const gateway = new NodeGateway(hostKeyPem);
  return async (options) => {
    const { preferredPort, openPort, spec, dial, logs, execution } = options;
    const host = () => execution()?.sessions ?? null;
    const unusable = (owner: string, reason: string) =>
      log.info('unusable key', { job: spec.id, owner, reason });
    const run = sessionRunner(host);
    const access = await startJobSsh({
      preferredPort,
      ...(openPort === undefined ? {} : { openPort }),
      authorizedKeys: { ...spec.authorized_keys, job: [] },
      hostKeyPem,
      dial,
      logs,
      exec: run,
      host,
      onUnusableKey: unusable,
    });
    try {
      return withNode(access, await openNode(gateway, options, run, unusable, log));
    } catch (error) {
      await access.close();
      throw error;
    }
  };
}

/** Null for jobs without other nodes or with unknown addresses. */
async function openNode(
  gateway: NodeGateway,
  { preferredPort, spec, cluster, started }: JobAccessOptions,
  run: RunSession,
  unusable: (owner: string, reason: string) => void,
  log: EventLogger,
): Promise<OpenNode | null> {
  const address = cluster?.job_ips[spec.job_num];
  const keys = spec.authorized_keys.job;
  if (!address || spec.jobs_per_replica < 2 || keys.length === 0) return null;
  try {
    return await gateway.open(address, {
      keys,
      // A node that starts earlier than the others may connect before they run.
      exec: async (request) => {
        await Promise.race([started, request.hungUp]);
        await run(request);
      },
      onUnusableKey: (reason) => unusable('job', reason),
    });
  } catch (error) {
    const where = `port ${NODE_SSH_PORT} of ${address}`;
    const why = errorMessage(error);
    const message = `The other nodes cannot connect: the agent cannot listen on ${where} (${why})`;
    // A running job continues without this access.
    if (preferredPort === null) throw new JobFailure('ports_binding_failed', message);
    log.error('no access for other nodes', error, { job: spec.id, address });
    return null;
  }
}

function withNode(
  access: Pick<JobAccess, 'port' | 'lastActivity' | 'close' | 'authorizeUsers'>,
  node: OpenNode | null,
): JobAccess {
  const ended = async () => {
    await node?.close();
  };
  return {
    port: access.port,
    lastActivity: () => access.lastActivity(),
    authorizeUsers: (keys) => access.authorizeUsers(keys),
    ended,
    close: async () => {
      await Promise.all([ended(), access.close()]);
    },
  };
}
