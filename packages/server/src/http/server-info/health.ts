import { withTimeout } from '@dstack/contract/with-timeout';
import type { FastifyInstance } from 'fastify';
import { sendJson } from '../error-answers.ts';
import type { HttpDeps } from '../ports.ts';

/** Paths for load balancers. */
export const HEALTH_PATHS: readonly string[] = ['/healthcheck', '/readyz'];

/** The database counts as down if it takes longer to answer, in ms. */
const DATABASE_LIMIT = 2000;

/**
 * `/healthcheck` reports whether the process answers (its body is part of the API), `/readyz`
 * whether it can do its work: 503 while the database is down or the loops have not started. Both
 * answer
 * 503 during shutdown, so that load balancers choose another server.
 */
export function healthRoutes(app: FastifyInstance, deps: HttpDeps): void {
  app.get('/healthcheck', async (_request, reply) =>
    deps.shutdown.isAnnounced
      ? sendJson(reply, 503, { status: 'shutting down' })
      : sendJson(reply, 200, { status: 'running' }),
  );
  app.get('/readyz', async (request, reply) => {
    if (deps.shutdown.isAnnounced) return sendJson(reply, 503, { status: 'shutting down' });
    const database = await answers(deps).catch((error: unknown) => {
      request.log.warn({ err: error }, 'the database does not answer');
      return false;
    });
    const loops = deps.loopsAreRunning();
    const isReady = database && loops;
    return sendJson(reply, isReady ? 200 : 503, {
      status: isReady ? 'ready' : 'not ready',
      database: database ? 'ok' : 'unreachable',
      loops: loops ? 'running' : 'stopped',
    });
  });
}

async function answers({ store }: HttpDeps): Promise<boolean> {
  await withTimeout(() => store.meta.serverId(), {
    ms: DATABASE_LIMIT,
    onTimeout: () => {
      throw new Error(`no answer in ${DATABASE_LIMIT} ms`);
    },
  });
  return true;
}
