/** Bodies and queries after validation by their schemas. */
import {
  adaptRequest,
  type ClientVersion,
  type Endpoint,
  type EndpointName,
  missingDetail,
  type UnfitPart,
  unfitParts,
  validationDetails,
} from '@dstack/contract/api';
import { UnprocessableError } from '@dstack/proxy';

/** The body as parsed by its schema. */
export function validBody(
  name: EndpointName,
  endpoint: Endpoint,
  parsed: unknown,
  client: ClientVersion | null,
): unknown {
  if (endpoint.request === null || endpoint.body === 'none') return undefined;
  let body = parsed;
  const unfit = unfitParts(parsed);
  if (unfit.length > 0) throw unfitError('body', unfit);
  if (endpoint.body === 'optional') body ??= {};
  else if (body === undefined || body === null)
    throw new UnprocessableError([missingDetail('body')]);
  body = adaptRequest(name, body, client);
  const result = endpoint.request.safeParse(body);
  if (result.success) return result.data;
  throw new UnprocessableError(validationDetails(result.error, body));
}

function unfitError(from: 'body' | 'query', unfit: readonly UnfitPart[]): UnprocessableError {
  const details = unfit.map(({ path, why }) => ({
    type: 'value_error',
    loc: [from, ...path],
    msg: `Value error, ${why}`,
    input: null,
    ctx: { error: {} },
  }));
  return new UnprocessableError(details);
}

/** The query as parsed by its schema; empty values count as omitted. */
export function validQuery(endpoint: Endpoint, query: unknown): unknown {
  if (endpoint.query === null) return undefined;
  const given = Object.entries((query ?? {}) as Record<string, unknown>);
  const input = Object.fromEntries(given.filter(([, value]) => value !== ''));
  const unfit = unfitParts(input);
  if (unfit.length > 0) throw unfitError('query', unfit);
  const result = endpoint.query.safeParse(input);
  if (result.success) return result.data;
  throw new UnprocessableError(validationDetails(result.error, input, 'query'));
}
