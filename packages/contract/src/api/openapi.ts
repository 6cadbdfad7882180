/** The API as an OpenAPI 3.1 document, generated from the endpoint table and the models. */
import type * as z from 'zod';
import type { JsonSchema } from '../configuration/json-form.ts';
import { named, schemaName } from '../configuration/schema-kit.ts';
import { JsonSchemaBuilder } from '../json-schema/build.ts';
import * as wire from '../wire/index.ts';
import { SESSION_KEY_HEADER } from '../wire/session-key.ts';
import { WIRE_VERSION } from '../wire/version.ts';
import type { Endpoint } from './endpoint.ts';
import { endpointList } from './endpoints.ts';
import * as access from './requests-access.ts';
import * as capacity from './requests-capacity.ts';
import * as ours from './requests-ours.ts';
import * as work from './requests-work.ts';
import { type EventStream, eventStreams, jobSockets } from './streams.ts';

const PREFIX = '#/components/schemas/';

/**
 * A model whose accepted form differs from its emitted one (shorthands) has two components,
 * `<name>-Input` and `<name>-Output`.
 */
export function openApiDocument(): JsonSchema {
  nameModels();
  const input = new JsonSchemaBuilder({ io: 'input', refPrefix: PREFIX });
  const output = new JsonSchemaBuilder({ io: 'output', refPrefix: PREFIX });
  const operations = endpointList.map(([name, endpoint]) => ({
    name,
    endpoint,
    request: endpoint.request === null ? null : input.ref(endpoint.request),
    query: endpoint.query === null ? null : input.build(endpoint.query),
    response: endpoint.response === null ? null : output.ref(endpoint.response),
  }));
  const twofold = twofoldNames(input.definitions, output.definitions);
  const accepted = (schema: JsonSchema) => renamed(schema, twofold, '-Input');
  const emitted = (schema: JsonSchema) => renamed(schema, twofold, '-Output');
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const { name, endpoint, request, query, response } of operations) {
    const operation = operationOf(name, endpoint, {
      request: request && accepted(request),
      query: query && accepted(query),
      response: response && emitted(response),
    });
    const methods = endpoint.method === 'ALL' ? ALL_METHODS : [endpoint.method.toLowerCase()];
    const entries = methods.map((method) => [method, operation] as const);
    paths[endpoint.path] = { ...paths[endpoint.path], ...Object.fromEntries(entries) };
  }
  for (const [name, stream] of Object.entries(eventStreams)) {
    paths[stream.path] = { get: streamOperation(name, stream) };
  }
  for (const [name, socket] of Object.entries(jobSockets)) {
    paths[socket.path] = { get: socketOperation(name, socket) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'dstack', version: WIRE_VERSION },
    paths,
    components: {
      schemas: {
        ...components(input.definitions, twofold, '-Input'),
        ...components(output.definitions, twofold, '-Output'),
      },
      securitySchemes: SECURITY_SCHEMES,
    },
  };
}

const ALL_METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options'];

interface Bodies {
  readonly request: JsonSchema | null;
  readonly query: JsonSchema | null;
  readonly response: JsonSchema | null;
}

function operationOf(name: string, endpoint: Endpoint, bodies: Bodies): JsonSchema {
  return {
    operationId: name,
    summary: endpoint.summary,
    tags: [tagOf(name)],
    parameters: [...pathParameters(endpoint), ...queryParameters(bodies.query)],
    ...securityOf(name, endpoint),
    ...requestBody(endpoint, bodies.request),
    responses: {
      200: {
        description: 'Successful Response',
        ...(bodies.response === null ? {} : { content: json(bodies.response) }),
      },
    },
  };
}

const BEARER = { HTTPBearer: [] };

/** Cookie and key together. */
const SESSION = { SessionCookie: [], SessionKey: [] };

const SECURITY_SCHEMES = {
  HTTPBearer: { type: 'http', scheme: 'bearer' },
  SessionCookie: {
    ...{ type: 'apiKey', in: 'cookie', name: 'dstack_session' },
    description:
      'Set by session.open; the name continues with the id of the server. Accepted from pages of the server itself only',
  },
  SessionKey: {
    ...{ type: 'apiKey', in: 'header', name: SESSION_KEY_HEADER },
    description: 'The key in the answer of session.open',
  },
};

function securityOf(name: string, { permission }: Endpoint): JsonSchema {
  switch (permission) {
    case 'public':
    case 'service_auth':
      return {};
    case 'optional':
      return { security: [{}, BEARER, SESSION] };
    case 'service_token':
      return { security: [BEARER] };
    default:
      return { security: name === 'session.open' ? [BEARER] : [BEARER, SESSION] };
  }
}

function streamOperation(name: string, stream: EventStream): JsonSchema {
  const text = { type: 'string' };
  const query = stream.query.map((parameter) => ({ ...parameter, in: 'query', schema: text }));
  const resume = {
    ...{ name: 'Last-Event-ID', in: 'header', required: false, schema: text },
    description: 'Id of the last message received: the stream continues after it',
  };
  return {
    operationId: name,
    summary: stream.summary,
    description: stream.messages,
    tags: [tagOf(name)],
    parameters: [...pathParameters(stream), ...query, resume],
    security: [BEARER, SESSION],
    responses: {
      200: {
        description: 'Server-sent events',
        content: { 'text/event-stream': { schema: text } },
      },
    },
  };
}

function socketOperation(name: string, socket: EventStream): JsonSchema {
  const schema = { type: 'string' };
  return {
    operationId: name,
    summary: socket.summary,
    description: socket.messages,
    tags: [tagOf(name)],
    parameters: [
      ...pathParameters(socket),
      ...socket.query.map((parameter) => ({ ...parameter, in: 'query', schema })),
    ],
    security: [BEARER, SESSION],
    responses: { 101: { description: 'Switching to a WebSocket' } },
  };
}

function tagOf(operation: string): string {
  return operation.slice(0, operation.indexOf('.'));
}

function requestBody(endpoint: Endpoint, schema: JsonSchema | null): JsonSchema {
  if (endpoint.body === 'file') {
    const properties = { file: { type: 'string', contentMediaType: 'application/octet-stream' } };
    const form = { type: 'object', properties, required: ['file'] };
    return {
      requestBody: { required: true, content: { 'multipart/form-data': { schema: form } } },
    };
  }
  if (schema === null) return {};
  const isOptional = endpoint.body === 'optional';
  const body = isOptional ? { anyOf: [schema, { type: 'null' }] } : schema;
  return { requestBody: { required: !isOptional, content: json(body) } };
}

function json(schema: JsonSchema): JsonSchema {
  return { 'application/json': { schema } };
}

function pathParameters(endpoint: Pick<Endpoint, 'path'>): JsonSchema[] {
  const names = [...endpoint.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
  return names.map((name) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters(query: JsonSchema | null): JsonSchema[] {
  if (query === null) return [];
  const required = (query.required as string[] | undefined) ?? [];
  return Object.entries(query.properties as Record<string, JsonSchema>).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }));
}

/** Models are named after their export. */
function nameModels(): void {
  for (const module of [wire, access, capacity, work, ours]) {
    for (const [name, value] of Object.entries(module)) {
      if (isSchema(value) && schemaName(value) === undefined) named(name, value);
    }
  }
}

function isSchema(value: unknown): value is z.ZodType {
  return typeof value === 'object' && value !== null && '_zod' in value;
}

type Definitions = Readonly<Record<string, JsonSchema>>;

/** Names of models whose two forms differ, directly or in a model they contain. */
function twofoldNames(input: Definitions, output: Definitions): ReadonlySet<string> {
  const shared = Object.keys(input).filter((name) => Object.hasOwn(output, name));
  const differing = new Set(
    shared.filter((name) => JSON.stringify(input[name]) !== JSON.stringify(output[name])),
  );
  for (let before = -1; before !== differing.size; ) {
    before = differing.size;
    for (const name of shared) {
      const text = JSON.stringify([input[name], output[name]]);
      if ([...differing].some((other) => text.includes(`"${PREFIX}${other}"`))) differing.add(name);
    }
  }
  return differing;
}

function components(
  definitions: Definitions,
  twofold: ReadonlySet<string>,
  suffix: string,
): Record<string, JsonSchema> {
  return Object.fromEntries(
    Object.entries(definitions).map(([name, schema]) => [
      twofold.has(name) ? name + suffix : name,
      renamed(schema, twofold, suffix),
    ]),
  );
}

/** A reference to a model with two forms gets the suffix of its own side. */
function renamed<T>(value: T, twofold: ReadonlySet<string>, suffix: string): T {
  if (Array.isArray(value)) return value.map((item) => renamed(item, twofold, suffix)) as T;
  if (typeof value === 'string' && value.startsWith(PREFIX)) {
    return (twofold.has(value.slice(PREFIX.length)) ? value + suffix : value) as T;
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, renamed(item, twofold, suffix)]);
  return Object.fromEntries(entries) as T;
}
