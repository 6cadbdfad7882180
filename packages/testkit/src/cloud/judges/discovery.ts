/** Judges requests and answers by one of Google's discovery documents. */
import { type DiscoverySchema, fieldProblems, schemaProblems } from './discovery-schema.ts';

export interface DiscoveryDocument {
  readonly servicePath: string;
  readonly parameters: Readonly<Record<string, DiscoveryParameter>>;
  readonly resources: Readonly<Record<string, DiscoveryResource>>;
  readonly schemas: Readonly<Record<string, DiscoverySchema>>;
}

interface DiscoveryResource {
  readonly methods?: Readonly<Record<string, DiscoveryMethod>>;
  readonly resources?: Readonly<Record<string, DiscoveryResource>>;
}

interface DiscoveryMethod {
  readonly id: string;
  readonly httpMethod: string;
  readonly path: string;
  readonly description?: string;
  readonly parameters?: Readonly<Record<string, DiscoveryParameter>>;
  readonly request?: { readonly $ref: string };
  readonly response?: { readonly $ref: string };
}

export interface DiscoveryParameter {
  readonly type: string;
  readonly location: string;
  readonly pattern?: string;
  readonly enum?: readonly string[];
  readonly required?: boolean;
}

export interface JudgedCall {
  readonly method: string;
  /** Below the root of the service, with its query. */
  readonly path: string;
  /** Null: there is none. */
  readonly body: unknown;
  /** Null: it is not judged, as errors have a form of their own. */
  readonly answer: unknown;
}

/** The parts of the call that the document does not allow, for people; empty = it allows all of it. */
export function discoveryProblems(
  document: DiscoveryDocument,
  call: JudgedCall,
): readonly string[] {
  const [path = '', query = ''] = call.path.split('?');
  const found = methodOf(document, call.method, path);
  if (found === null) return [`${call.method} ${path}: no such method`];
  const { method, params } = found;
  const { schemas } = document;
  const parameters = { ...document.parameters, ...method.parameters };
  const problems = [
    ...Object.entries(params).flatMap(([name, value]) =>
      valueProblems(name, value, parameters[name]),
    ),
    ...[...new URLSearchParams(query)].flatMap(([name, value]) => {
      // The document leaves this one out of the parameters, and recommends it in the description.
      const isNamed = method.description?.includes(`\`${name}\``) === true;
      if (parameters[name] === undefined && isNamed) return [];
      return valueProblems(name, value, parameters[name]);
    }),
    ...bodyProblems(schemas, method.request, call.body, true),
    ...(call.answer === null ? [] : bodyProblems(schemas, method.response, call.answer, false)),
  ];
  const fields = new URLSearchParams(query).get('fields');
  if (fields !== null) problems.push(...fieldProblems(schemas, method.response ?? {}, fields));
  return problems.map((problem) => `${method.id}: ${problem}`);
}

function bodyProblems(
  schemas: DiscoveryDocument['schemas'],
  ref: { readonly $ref: string } | undefined,
  body: unknown,
  isRequest: boolean,
): readonly string[] {
  if (ref === undefined) return body === null ? [] : ['has no such body'];
  const path = isRequest ? 'request' : 'answer';
  return schemaProblems(schemas, ref, body, { path, isRequest });
}

function valueProblems(name: string, value: string, known?: DiscoveryParameter): readonly string[] {
  if (known === undefined) return [`unknown parameter ${name}`];
  const isNumber = known.type !== 'integer' || /^\d+$/.test(value);
  const isBoolean = known.type !== 'boolean' || value === 'true' || value === 'false';
  const fits =
    isNumber &&
    isBoolean &&
    (known.enum?.includes(value) ?? true) &&
    (known.pattern === undefined || new RegExp(`^(?:${known.pattern})$`).test(value));
  return fits ? [] : [`parameter ${name} cannot be ${JSON.stringify(value)}`];
}

function methodOf(document: DiscoveryDocument, httpMethod: string, path: string) {
  for (const method of methodsIn(document.resources)) {
    if (method.httpMethod !== httpMethod) continue;
    const params = paramsOf(`/${document.servicePath}${method.path}`, path);
    if (params !== null) return { method, params };
  }
  return null;
}

function methodsIn(resources: DiscoveryDocument['resources']): readonly DiscoveryMethod[] {
  return Object.values(resources).flatMap((resource) => [
    ...Object.values(resource.methods ?? {}),
    ...methodsIn(resource.resources ?? {}),
  ]);
}

/** Null: the path is another one. */
function paramsOf(template: string, path: string): Readonly<Record<string, string>> | null {
  const names = [...template.matchAll(/\{\+?([A-Za-z]+)\}/g)].map(([, name = '']) => name);
  const pattern = template
    .split(/\{\+?[A-Za-z]+\}/)
    .map((part) => part.replace(/[.*+?^$()|[\]\\]/g, '\\$&'))
    .join('([^/:]+)');
  const match = new RegExp(`^${pattern}$`).exec(path);
  if (match === null) return null;
  return Object.fromEntries(names.map((name, at) => [name, match[at + 1] ?? '']));
}
