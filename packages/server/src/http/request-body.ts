/** Bodies and queries as their schemas read them. */
import {
  adaptRequest,
  type ClientVersion,
  type Endpoint,
  type EndpointName,
  missingDetail,
  validationDetails,
} from '@dstack/contract/api';
import { UnprocessableError } from './intake/parse-json.ts';
import { unfitPart } from './intake/unfit-part.ts';

/** The body as its schema reads it. */
export function validBody(
  name: EndpointName,
  endpoint: Endpoint,
  parsed: unknown,
  client: ClientVersion | null,
): unknown {
  if (endpoint.request === null || endpoint.body === 'none') return undefined;
  let body = parsed;
  const unfit = unfitPart(parsed);
  if (unfit !== null) throw new UnprocessableError([unfitDetail(unfit)]);
  if (endpoint.body === 'optional') body ??= {};
  else if (body === undefined || body === null)
    throw new UnprocessableError([missingDetail('body')]);
  body = adaptRequest(name, body, client);
  const result = endpoint.request.safeParse(body);
  if (result.success) return result.data;
  throw new UnprocessableError(validationDetails(result.error, body));
}

function unfitDetail({ path, why }: { path: readonly (string | number)[]; why: string }) {
  const msg = `Value error, ${why}`;
  return { type: 'value_error', loc: ['body', ...path], msg, input: null, ctx: { error: {} } };
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
