import { createHash } from 'node:crypto';
import {
  configurationJsonSchema,
  profilesJsonSchema,
  serverConfigJsonSchema,
} from '@dstack/contract';
import { openApiDocument } from '@dstack/contract/api';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sendJsonText } from '../error-answers.ts';

const DOCUMENTS = {
  '/openapi.json': openApiDocument,
  '/schemas/configuration.json': configurationJsonSchema,
  '/schemas/profiles.json': profilesJsonSchema,
  '/schemas/server-config.json': serverConfigJsonSchema,
} as const;

interface Document {
  readonly text: string;
  readonly etag: string;
}

/**
 * Descriptions of the API and the configuration language for programs, generated on the first
 * request. Public: editors fetch them without a token, and browser-based ones from another origin.
 * They change only with the server's version, so clients can revalidate a cached copy.
 */
export function openApiRoutes(app: FastifyInstance): void {
  for (const [path, make] of Object.entries(DOCUMENTS)) {
    const document = once(() => describe(make()));
    app.get(path, async (request, reply) => answer(request, reply, document()));
  }
}

function describe(value: object): Document {
  const text = JSON.stringify(value);
  const hash = createHash('sha256').update(text).digest('base64url').slice(0, 27);
  return { text, etag: `"${hash}"` };
}

function answer(request: FastifyRequest, reply: FastifyReply, { text, etag }: Document) {
  reply.headers({
    etag,
    'cache-control': 'public, max-age=300, stale-while-revalidate=86400',
    'access-control-allow-origin': '*',
    'x-content-type-options': 'nosniff',
  });
  if (knownTags(request).includes(etag)) return reply.code(304).send();
  return sendJsonText(reply, 200, text);
}

/** A proxy that compresses marks its tags as weak; the document is the same. */
function knownTags({ headers }: FastifyRequest): string[] {
  const given = headers['if-none-match'] ?? '';
  return given.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
