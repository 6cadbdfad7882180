/** Serves the web UI: its files, and its page for every path that belongs to no other part. */
import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { answerUnknown } from '../error-answers.ts';
import type { WebFile, WebFiles } from './web-files.ts';

/** Paths that never show the UI's page: a mistyped one must fail in a program. */
const OTHER_PARTS =
  /^\/(api|proxy|docs|mcp|schemas|assets|metrics|healthcheck|readyz)(\/|$)|\.json$/;

const YEAR_SECONDS = 31_536_000;

const NO_SNIFF = ['x-content-type-options', 'nosniff'] as const;

export function webUiRoutes(app: FastifyInstance, files: WebFiles): void {
  app.get('/', async (_request, reply) => sendPage(files, reply));
  app.get('/assets/*', async (request, reply) => {
    const file = fileOf(files, request);
    return file === null
      ? answerUnknown(request, reply)
      : await sendFile(files, file, request, reply);
  });
  app.setNotFoundHandler(async (request, reply) => {
    const file = request.method === 'GET' ? fileOf(files, request) : null;
    if (file !== null) return await sendFile(files, file, request, reply);
    return wantsPage(request) ? sendPage(files, reply) : answerUnknown(request, reply);
  });
}

function fileOf(files: WebFiles, { originalUrl, headers }: FastifyRequest): WebFile | null {
  const [path = ''] = originalUrl.split('?');
  return files.find(path.slice(1), headers['accept-encoding']);
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
      'content-security-policy': policy(nonce),
      // The nonce differs each time.
      'cache-control': 'no-cache',
      'cross-origin-opener-policy': 'same-origin',
      'referrer-policy': 'same-origin',
      [NO_SNIFF[0]]: NO_SNIFF[1],
    })
    .send(files.page(nonce));
}

/** Scripts come from files only. Libraries that make `style` elements give them the nonce. */
function policy(nonce: string): string {
  return [
    "default-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "object-src 'none'",
    "frame-src 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
  ].join('; ');
}

async function sendFile(
  { dir }: WebFiles,
  { path, chosen, encoding, hasEncodings, isImmutable }: WebFile,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  // Loaded when the UI is first used.
  const { default: send } = await import('@fastify/send');
  const { statusCode, headers, stream } = await send(request.raw, encodeURI(`/${chosen}`), {
    root: dir,
    acceptRanges: false,
    index: false,
    immutable: isImmutable,
    maxAge: isImmutable ? YEAR_SECONDS * 1000 : 0,
  });
  const type = send.mime.getType(path) ?? 'application/octet-stream';
  reply
    .code(statusCode)
    .headers(headers)
    .header(...NO_SNIFF);
  reply.header('content-type', send.isUtf8MimeType(type) ? `${type}; charset=utf-8` : type);
  if (!isImmutable) reply.header('cache-control', 'no-cache');
  if (hasEncodings) reply.header('vary', 'accept-encoding');
  if (encoding !== null) reply.header('content-encoding', encoding);
  return reply.send(stream);
}
