/** Serves the site of the documentation, as `scripts/build.ts docs` leaves it in `dist/docs`. */
import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sendJson } from '../error-answers.ts';

/** Names in this folder contain a hash of their content. */
const HASHED = '_astro/';

const YEAR_SECONDS = 31_536_000;

/**
 * Its pages have inline scripts and styles, and its search is WebAssembly. They contain nothing that users
 * have written, and they may connect to nothing else.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** `dir`: of the built site; it may be absent. The site is looked for at the first request. */
export function docsSiteRoutes(app: FastifyInstance, dir: string): void {
  let files: Promise<ReadonlySet<string>> | null = null;
  const serve = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    files ??= namesIn(dir).catch((error) => {
      files = null;
      throw error;
    });
    const names = await files;
    if (names.size === 0) {
      // A site that is built later is found without a restart.
      files = null;
      const detail = 'The documentation is not built. Build it with: npm run build -- docs';
      return sendJson(reply, 404, { detail });
    }
    const [path = ''] = request.url.split('?');
    const found = fileFor(path.slice('/docs'.length), names);
    return await send(dir, found ?? '404.html', found === null ? 404 : 200, request, reply);
  };
  app.get('/docs', serve);
  app.get('/docs/*', serve);
}

/** Only names from the folder, so no path leads out of it. Pages are found with and without a slash. */
function fileFor(path: string, names: ReadonlySet<string>): string | null {
  const name = decoded(path).split('/').filter(Boolean).join('/');
  const candidates = [name, `${name}/index.html`, `${name}.html`];
  if (name === '') candidates.unshift('index.html');
  return candidates.find((candidate) => names.has(candidate)) ?? null;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

async function namesIn(dir: string): Promise<ReadonlySet<string>> {
  try {
    const entries = await readdir(dir, { recursive: true, withFileTypes: true });
    const paths = entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => relative(dir, join(parentPath, name)).replaceAll(sep, '/'));
    return new Set(paths);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Set();
    throw error;
  }
}

async function send(
  dir: string,
  name: string,
  status: number,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { default: sendFile } = await import('@fastify/send');
  const isImmutable = name.startsWith(HASHED);
  const { statusCode, headers, stream } = await sendFile(request.raw, encodeURI(`/${name}`), {
    root: dir,
    acceptRanges: false,
    index: false,
    immutable: isImmutable,
    maxAge: isImmutable ? YEAR_SECONDS * 1000 : 0,
  });
  const type = sendFile.mime.getType(name) ?? 'application/octet-stream';
  reply.code(statusCode === 200 ? status : statusCode).headers(headers);
  reply.headers({
    'content-type': sendFile.isUtf8MimeType(type) ? `${type}; charset=utf-8` : type,
    'content-security-policy': POLICY,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'same-origin',
  });
  if (!isImmutable) reply.header('cache-control', 'no-cache');
  return reply.send(stream);
}
