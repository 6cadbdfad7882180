/** A server whose texts all try to control the terminal, in answers of the right form. */
import { openApiDocument } from '@dstack/contract/api';
import type { Route } from './fake-server.ts';

/** Clears the screen, sets colours (8-bit form too), title and direction, and starts new lines. */
export const HOSTILE = 'x\u001b[2J\u001b[31m\u009b1m\u001b]0;t\u0007\r\u007f\u202e\nerror: y';

interface Schema {
  readonly $ref?: string;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly items?: Schema;
  readonly prefixItems?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
}

interface Operation {
  readonly responses: Readonly<Record<string, { content?: Record<string, { schema: Schema }> }>>;
}

/** States that have a message and wait for nothing. */
const TELLING = ['failed', 'terminated', 'active', 'not_available', 'warning'];

/** Answers to every request of the project `main`. */
export function hostileRoutes(): Record<string, Route> {
  const document = openApiDocument() as {
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: Record<string, Schema> };
  };
  const { schemas } = document.components;
  const routes: Record<string, Route> = {};
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, { responses }] of Object.entries(methods)) {
      const content = responses[200]?.content;
      const schema = content?.['application/json']?.schema;
      if (content?.['text/event-stream']) continue;
      const json = schema ? sampleOf(schema, schemas, '') : null;
      // Under any requested name: one of the server's, or the user's.
      for (const name of [encodeURIComponent(HOSTILE), 'rr']) {
        const at = path.replace('{project_name}', 'main').replace(/\{[^}]*\}/g, name);
        routes[`${method.toUpperCase()} ${at}`] = { json };
      }
    }
  }
  return routes;
}

/** The same answer to every request. */
export function refusingRoutes(status: number, json: unknown): Record<string, Route> {
  const all = Object.keys(hostileRoutes());
  return Object.fromEntries(all.map((route) => [route, { status, json }]));
}

function sampleOf(schema: Schema, schemas: Readonly<Record<string, Schema>>, key: string): unknown {
  // Pages end.
  if (key === 'next_token') return null;
  const { $ref, anyOf = schema.oneOf ?? schema.allOf } = schema;
  if ($ref !== undefined) {
    return sampleOf(schemas[$ref.replace(/^.*\//, '')] ?? {}, schemas, key);
  }
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) {
    return TELLING.find((state) => schema.enum?.includes(state)) ?? schema.enum[0];
  }
  if (anyOf !== undefined) {
    const form = anyOf.find(({ type }) => type !== 'null');
    return form === undefined ? null : sampleOf(form, schemas, key);
  }
  return plainSample(schema, schemas, key);
}

function plainSample(
  schema: Schema,
  schemas: Readonly<Record<string, Schema>>,
  key: string,
): unknown {
  switch (schema.type) {
    case 'object': {
      const fields = Object.entries(schema.properties ?? {});
      const known = fields.map(([name, field]) => [name, sampleOf(field, schemas, name)] as const);
      const free = typeof schema.additionalProperties === 'object';
      const others = free
        ? [[HOSTILE, sampleOf(schema.additionalProperties as Schema, schemas, '')] as const]
        : [];
      return Object.fromEntries([...known, ...others]);
    }
    case 'array':
      return (schema.prefixItems ?? [schema.items ?? {}]).map((item) =>
        sampleOf(item, schemas, key),
      );
    case 'integer':
    case 'number':
      return 1;
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return sampleText(schema);
  }
}

function sampleText({ format }: Schema): string {
  if (format === 'date-time') return '2026-11-24T15:00:00Z';
  if (format?.startsWith('uuid')) return '8a1c2a52-4f41-4a0c-9c51-5b9d7d3f3a11';
  return HOSTILE;
}
