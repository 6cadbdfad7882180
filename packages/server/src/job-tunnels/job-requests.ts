import type { IncomingMessage, Server } from 'node:http';
import { JOB_TOKEN_PREFIX } from '@dstack/contract/wire';
import type { FastifyInstance } from 'fastify';
import { bearerToken } from '../callers/identity.ts';
import type { JobTunnels } from './job-tunnels.ts';
import { Pace } from './pace.ts';

const REQUESTS = { burst: 50, perSecond: 20 };

/** An invalid token; replaces job tokens that arrive on a connection of another origin. */
const INVALID = `Bearer ${JOB_TOKEN_PREFIX}`;

type Jobs = Pick<JobTunnels, 'jobOf'>;

/**
 * Accepts a job's token only on connections of that job, so that a stolen token is useless elsewhere,
 * and limits the rate of requests of each job. `now` in milliseconds.
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

/** Runs before all other listeners, for upgrades too. */
function bindTokens(server: Server, jobs: Jobs): void {
  const bind = (request: IncomingMessage): void => {
    const token = bearerToken(request.headers.authorization);
    if (!token?.startsWith(JOB_TOKEN_PREFIX)) return;
    const jobId = jobs.jobOf(request.socket);
    const own = jobId && `${JOB_TOKEN_PREFIX}${jobId.replaceAll('-', '')}_`;
    if (own === null || !token.startsWith(own)) request.headers.authorization = INVALID;
  };
  server.prependListener('request', bind);
  server.prependListener('upgrade', bind);
}
