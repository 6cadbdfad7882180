import {
  configurationJsonSchema,
  profilesJsonSchema,
  serverConfigJsonSchema,
} from '@dstack/contract';
import { openApiDocument } from '@dstack/contract/api';
import type { FastifyInstance } from 'fastify';
import { sendJsonText } from '../error-answers.ts';

const DOCUMENTS = {
  '/openapi.json': openApiDocument,
  '/schemas/configuration.json': configurationJsonSchema,
  '/schemas/profiles.json': profilesJsonSchema,
  '/schemas/server-config.json': serverConfigJsonSchema,
} as const;

/** The API and the configuration language described for programs; made when first asked for. */
export function openApiRoutes(app: FastifyInstance): void {
  for (const [path, document] of Object.entries(DOCUMENTS)) {
    const text = once(() => JSON.stringify(document()));
    app.get(path, async (_request, reply) => sendJsonText(reply, 200, text()));
  }
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
