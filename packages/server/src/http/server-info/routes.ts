import { ruleError } from '@dstack/contract/api';
import { WIRE_VERSION } from '@dstack/contract/wire';
import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { serverStatus } from './status.ts';

export function serverInfoRoutes(on: On, deps: HttpDeps): void {
  on('server.get_info', async () => ({ server_version: WIRE_VERSION }));
  on('server.status', () => serverStatus(deps));
  on('auth.list_providers', async () => []);
  on('auth.get_next_redirect', async ({ body }) => ({ redirect_url: nextRedirect(body) }));
}

/** `state` contains whether a client on the user's computer waits for the end of the log-in. */
function nextRedirect(login: { readonly code: string; readonly state: string }): string | null {
  const port = localPort(login.state);
  if (port === null) return null;
  const query = new URLSearchParams({ code: login.code, state: login.state });
  return `http://localhost:${port}/auth/callback?${query}`;
}

/** `state` is base64 of `{"value": …, "local_port": …}`; null: no port. */
function localPort(state: string): number | null {
  try {
    const parsed = JSON.parse(Buffer.from(state, 'base64').toString('utf8'));
    const port = parsed.local_port ?? null;
    if (typeof parsed.value === 'string' && (port === null || isPort(port))) return port;
  } catch {
    // Neither base64 nor JSON: refused below like any other invalid state.
  }
  throw ruleError('Invalid state token');
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) < 65536;
}
