/** `GET /metrics`, in the text format of Prometheus. */
import { invalidToken, notAuthenticated } from '@dstack/contract/api';
import type { FastifyInstance } from 'fastify';
import { bearerToken, isSameText } from '../../callers/identity.ts';
import { answerUnknown } from '../error-answers.ts';
import type { HttpDeps } from '../ports.ts';

/** Unknown path if it is disabled. With a token configured, only its bearer may read. */
export function prometheusRoutes(app: FastifyInstance, deps: HttpDeps): void {
  const { metrics, settings } = deps;
  app.get('/metrics', async (request, reply) => {
    if (metrics === null) return answerUnknown(request, reply);
    const expected = settings.metricsToken;
    const token = bearerToken(request.headers.authorization);
    if (expected !== null) {
      if (token === null) throw notAuthenticated();
      const look = async () => isSameText(token, expected) || null;
      if (!(await deps.signIns.from(request.raw)(token, look))) throw invalidToken();
    }
    return reply.header('content-type', metrics.contentType).send(await metrics.text());
  });
}
