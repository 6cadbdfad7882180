import type { IncomingMessage } from 'node:http';
import type { ServiceCaller } from './callers.ts';
import type { ResponseContext } from './headers.ts';
import { pathNotAllowed, upgradeNotSupported } from './refusal.ts';
import type { ServiceRoute } from './service-routes.ts';
import type { ServiceTarget } from './service-target.ts';

/** A service found, and a caller admitted to it. */
export interface Passage {
  readonly route: ServiceRoute;
  readonly target: ServiceTarget;
  /** Null: the service takes everybody. */
  readonly caller: ServiceCaller | null;
  /** Values of `Authorization` that are not for the service. */
  readonly ownAuthorizations: ReadonlySet<string>;
}

const ROUTER_PATHS = /^(\/generate|\/chat\/completions|\/v1\/[^?]*)(\?|$)/;

/** Parts of a path that some apps read as a way up: what is allowed must not lead to what is not. */
const DOTS = /^[^?]*\/(\.|%2e){1,2}(\/|\?|$)/i;

/** Throws `ProxyRefusal`. */
export function checkRequest(
  route: ServiceRoute,
  target: ServiceTarget,
  request: IncomingMessage,
): void {
  const path = pathOf({ route, target });
  if (route.behindRouter && (!ROUTER_PATHS.test(path) || DOTS.test(path))) throw pathNotAllowed();
  const protocol = request.headers.upgrade?.toLowerCase() ?? null;
  // Whoever offers HTTP/2 is content with being answered in HTTP/1.1.
  if (protocol !== null && protocol !== 'websocket' && protocol !== 'h2c') {
    throw upgradeNotSupported();
  }
}

export function pathOf({ route, target }: Pick<Passage, 'route' | 'target'>): string {
  return route.stripPrefix ? target.rest : target.prefix + target.rest;
}

export function answerOf(
  { route, target }: Passage,
  { headers }: IncomingMessage,
): ResponseContext {
  return { path: target.prefix, isStripped: route.stripPrefix, host: headers.host ?? null };
}
