/** Bodies: JSON whatever the content type says, absent and null ones, and what their schema finds. */
import {
  adaptRequest,
  type ClientVersion,
  type Endpoint,
  type EndpointName,
  malformedJson,
  missingDetail,
  type ValidationDetail,
  validationDetails,
} from '@dstack/contract/api';

/** The request does not have the form that the endpoint asks for: 422. */
export class UnprocessableError extends Error {
  override name = 'UnprocessableError';
  readonly detail: readonly ValidationDetail[];

  constructor(detail: readonly ValidationDetail[]) {
    super('request validation failed');
    this.detail = detail;
  }
}

/** Undefined: no body at all. */
export function parseJson(raw: Buffer | undefined): unknown {
  if (raw === undefined || raw.length === 0) return undefined;
  const text = raw.toString('utf8');
  if (text.trim() === '') return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    if (!isDeeperThan(parsed, MAX_DEPTH)) return parsed;
  } catch (error) {
    const message = (error as SyntaxError).message;
    const position = Number(/at position (\d+)/.exec(message)?.[1] ?? 0);
    throw new UnprocessableError([malformedJson(message, position)]);
  }
  throw new UnprocessableError([malformedJson(`nested deeper than ${MAX_DEPTH} levels`, 0)]);
}

/** Levels of lists and objects; requests have a dozen. Without an end, reading them would fail. */
const MAX_DEPTH = 100;

function isDeeperThan(value: unknown, levels: number): boolean {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > levels) return true;
    level = level.flatMap((item) =>
      typeof item === 'object' && item !== null ? Object.values(item) : [],
    );
  }
  return false;
}

/** The body as its schema reads it. */
export function validBody(
  name: EndpointName,
  endpoint: Endpoint,
  parsed: unknown,
  client: ClientVersion | null,
): unknown {
  if (endpoint.request === null || endpoint.body === 'none') return undefined;
  let body = parsed;
  const unkept = pathOfNul(parsed);
  if (unkept !== null) throw new UnprocessableError([nulDetail(['body', ...unkept])]);
  if (endpoint.body === 'optional') body ??= {};
  else if (body === undefined || body === null)
    throw new UnprocessableError([missingDetail('body')]);
  body = adaptRequest(name, body, client);
  const result = endpoint.request.safeParse(body);
  if (result.success) return result.data;
  throw new UnprocessableError(validationDetails(result.error, body));
}

/** Where U+0000 is in a text or key, which PostgreSQL takes in none; null: nowhere. */
function pathOfNul(value: unknown): (string | number)[] | null {
  if (typeof value === 'string') return value.includes('\0') ? [] : null;
  if (typeof value !== 'object' || value === null) return null;
  for (const [key, item] of Object.entries(value)) {
    const path = key.includes('\0') ? [] : pathOfNul(item);
    if (path !== null) return [Array.isArray(value) ? Number(key) : key, ...path];
  }
  return null;
}

function nulDetail(loc: readonly (string | number)[]): ValidationDetail {
  const msg = 'Value error, the character U+0000 is allowed in no text';
  return { type: 'value_error', loc, msg, input: null, ctx: { error: {} } };
}

/** The query as its schema reads it; empty values count as left out. */
export function validQuery(endpoint: Endpoint, query: unknown): unknown {
  if (endpoint.query === null) return undefined;
  const given = Object.entries((query ?? {}) as Record<string, unknown>);
  const input = Object.fromEntries(given.filter(([, value]) => value !== ''));
  const result = endpoint.query.safeParse(input);
  if (result.success) return result.data;
  throw new UnprocessableError(validationDetails(result.error, input, 'query'));
}
