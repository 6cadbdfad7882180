import type { FastifyInstance } from 'fastify';
import { API_DOCS_PAGE } from './page.ts';

/** Public, like the description that it shows. Without a UI, `/` redirects here. */
export function apiDocsRoutes(app: FastifyInstance): void {
  app.get('/api/docs', async (_request, reply) =>
    reply.header('content-type', 'text/html; charset=utf-8').send(API_DOCS_PAGE),
  );
  app.get('/', async (_request, reply) => reply.redirect('/api/docs', 307));
}
