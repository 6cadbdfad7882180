/** Serves the web UI: its files, and its page for every path that belongs to no other part. */
import { randomBytes } from 'node:crypto';
import { extname } from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { answerUnknown } from '../error-answers.ts';
import type { WebFile, WebFiles } from './web-files.ts';

/** Paths that never show the UI's page: a mistyped one must fail in a program. */
const OTHER_PARTS =
  /^\/(api|proxy|docs|mcp|schemas|assets|metrics|healthcheck|readyz)(\/|$)|\.json$/;

const YEAR_SECONDS = 31_536_000;

/** The content type of each kind of file in a build, by extension. */
const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

const NO_SNIFF = ['x-content-type-options', 'nosniff'] as const;

export function webUiRoutes(app: FastifyInstance, files: WebFiles): void {
  app.get('/', async (_request, reply) => sendPage(files, reply));
  app.get('/assets/*', async (request, reply) => {
    const file = await fileOf(files, request);
    return file === null ? answerUnknown(request, reply) : sendFile(file, request, reply);
  });
  app.setNotFoundHandler(async (request, reply) => {
    const file = request.method === 'GET' ? await fileOf(files, request) : null;
    if (file !== null) return sendFile(file, request, reply);
    return wantsPage(request) ? sendPage(files, reply) : answerUnknown(request, reply);
  });
}

async function fileOf(
  files: WebFiles,
  { originalUrl, headers }: FastifyRequest,
): Promise<WebFile | null> {
  const [path = ''] = originalUrl.split('?');
  return await files.find(path.slice(1), headers['accept-encoding']);
}

/** Browsers that navigate ask for HTML; programs get an error. */
function wantsPage({ method, originalUrl, headers }: FastifyRequest): boolean {
  const [path = ''] = originalUrl.split('?');
  const isReading = method === 'GET' || method === 'HEAD';
  return isReading && headers.accept?.includes('text/html') === true && !OTHER_PARTS.test(path);
}

function sendPage(files: WebFiles, reply: FastifyReply): FastifyReply {
  const nonce = randomBytes(16).toString('base64url');
  return reply
    .headers({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy(nonce, files.scriptHashes),
      // The nonce differs each time.
      'cache-control': 'no-cache',
      'cross-origin-opener-policy': 'same-origin',
      'referrer-policy': 'same-origin',
      [NO_SNIFF[0]]: NO_SNIFF[1],
    })
    .send(files.page(nonce));
}

/**
 * Scripts come from files, except those that must run before the first paint: they are part of the page and
 * known by their hashes. The page's own style, and libraries that make `style` elements, have the nonce.
 */
function policy(nonce: string, scriptHashes: readonly string[]): string {
  return [
    "default-src 'self'",
    ["script-src 'self'", ...scriptHashes.map((hash) => `'${hash}'`)].join(' '),
    `style-src 'self' 'nonce-${nonce}'`,
    "object-src 'none'",
    "frame-src 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
  ].join('; ');
}

function sendFile(
  { path, body, encoding, hasEncodings, isImmutable, etag }: WebFile,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  reply.headers({
    'content-type': TYPES[extname(path)] ?? 'application/octet-stream',
    'cache-control': isImmutable ? `public, max-age=${YEAR_SECONDS}, immutable` : 'no-cache',
    etag,
    [NO_SNIFF[0]]: NO_SNIFF[1],
  });
  if (hasEncodings) reply.header('vary', 'accept-encoding');
  if (request.headers['if-none-match'] === etag) return reply.code(304).send();
  if (encoding !== null) reply.header('content-encoding', encoding);
  return reply.send(body);
}
