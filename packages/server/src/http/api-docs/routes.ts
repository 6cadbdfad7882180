import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { apiDocsPage } from './page.ts';

/** Public, like the description that it shows. */
export function apiDocsRoutes(app: FastifyInstance): void {
  app.get('/api/docs', async (_request, reply) => {
    const nonce = randomBytes(16).toString('base64url');
    const own = `'nonce-${nonce}'`;
    return reply
      .headers({
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': `default-src 'none'; connect-src 'self'; script-src ${own}; style-src ${own}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
        'cache-control': 'no-cache',
      })
      .send(apiDocsPage(nonce));
  });
}
