import type { IncomingMessage, Server } from 'node:http';
import { JOB_TOKEN_PREFIX } from '@dstack/contract/wire';
import type { FastifyInstance } from 'fastify';
import { bearerToken } from '../http/identity.ts';
import type { JobTunnels } from './job-tunnels.ts';
import { Pace } from './pace.ts';

const REQUESTS = { burst: 50, perSecond: 20 };

/** A token that nobody has: in place of one that is not valid where it came from. */
const NOBODYS = `Bearer ${JOB_TOKEN_PREFIX}`;

type Jobs = Pick<JobTunnels, 'jobOf'>;

/**
 * What is special about requests of jobs: a job's token counts on connections of that job alone, so
 * that it is worth nothing to whoever reads it elsewhere and dies with them, and their number is
 * bounded. `now` in milliseconds.
 */
export function limitJobRequests(app: FastifyInstance, jobs: Jobs, now: () => number): void {
  bindTokens(app.server, jobs);
  const pace = new Pace(REQUESTS, now);
  app.addHook('onRequest', async (request, reply) => {
    const jobId = jobs.jobOf(request.raw.socket);
    const seconds = jobId === null ? 0 : pace.wait(jobId);
    if (seconds === 0) return;
    reply.header('retry-after', seconds);
    const message = `This job makes more than ${REQUESTS.perSecond} requests a second`;
    throw Object.assign(new Error(message), { statusCode: 429 });
  });
}

/** Before anything else looks at a request, an upgrade to another protocol too. */
function bindTokens(server: Server, jobs: Jobs): void {
  const bind = (request: IncomingMessage): void => {
    const token = bearerToken(request.headers.authorization);
    if (!token?.startsWith(JOB_TOKEN_PREFIX)) return;
    const jobId = jobs.jobOf(request.socket);
    const own = jobId && `${JOB_TOKEN_PREFIX}${jobId.replaceAll('-', '')}_`;
    if (own === null || !token.startsWith(own)) request.headers.authorization = NOBODYS;
  };
  server.prependListener('request', bind);
  server.prependListener('upgrade', bind);
}
