import type { HttpExchange } from './call.ts';

/**
 * Whether the caller's program can send the keys that dstack 0.22.5 does not have: our client names
 * itself so, and only our web UI has sessions.
 */
export function isOurClient(call: {
  readonly session: object | null;
  readonly exchange: HttpExchange;
}): boolean {
  const agent = call.exchange.request.headers['user-agent'] ?? '';
  return call.session !== null || agent.startsWith('dstack-');
}
