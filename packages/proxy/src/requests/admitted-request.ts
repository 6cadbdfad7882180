import type { IncomingMessage } from 'node:http';
import type { ServiceCaller } from '../callers/callers.ts';
import type { BegunRequest } from '../counts/request-log.ts';
import type { ResponseContext } from '../head/headers.ts';
import { valuesOf } from '../head/raw-headers.ts';
import { pathNotAllowed, severalHosts, upgradeNotSupported } from '../refusals/refusal.ts';
import type { ServiceRoute } from '../routes/service-route.ts';
import type { ServiceTarget } from '../routes/service-target.ts';

/** A request to an existing service, by a caller who may use it. */
export interface AdmittedRequest {
  readonly route: ServiceRoute;
  /** Without parameters that contain a token of this server. */
  readonly target: ServiceTarget;
  /** Null for services with `auth: false`. */
  readonly caller: ServiceCaller | null;
  /** See `RequestContext`. */
  readonly ownValues: ReadonlySet<string>;
}

const ROUTER_PATHS = /^(\/generate|\/chat\/completions|\/v1\/[^?]*)(\?|$)/;

/** `.` and `..` in a path: some apps resolve them, which would lead out of the allowed paths. */
const DOTS = /^[^?]*\/(\.|%2e){1,2}(\/|\?|$)/i;

/** Throws `ProxyRefusal`. */
export function checkRequest(
  route: ServiceRoute,
  target: ServiceTarget,
  request: IncomingMessage,
): void {
  if (valuesOf(request.rawHeaders, 'host').length > 1) throw severalHosts();
  const path = pathOf({ route, target });
  if (route.behindRouter && (!ROUTER_PATHS.test(path) || DOTS.test(path))) throw pathNotAllowed();
  const protocol = request.headers.upgrade?.toLowerCase() ?? null;
  // Clients that offer HTTP/2 accept HTTP/1.1 as well.
  if (protocol !== null && protocol !== 'websocket' && protocol !== 'h2c') {
    throw upgradeNotSupported();
  }
}

export function pathOf({ route, target }: Pick<AdmittedRequest, 'route' | 'target'>): string {
  return route.stripPrefix ? target.rest : target.prefix + target.rest;
}

/** For the log of requests. */
export function begun(
  { route, target, caller }: AdmittedRequest,
  { request, id }: { readonly request: IncomingMessage; readonly id: string },
): BegunRequest {
  return { route, request, path: target.rest, user: caller?.name ?? null, id };
}

export function answerOf(
  { route, target }: AdmittedRequest,
  { headers }: IncomingMessage,
): ResponseContext {
  return {
    path: target.prefix,
    isStripped: route.stripPrefix,
    host: headers.host ?? null,
    isOpenToOrigins: route.isOpenToOrigins,
    hasSiblings: target.origin !== undefined,
    isSandboxed: target.isOnSharedName !== true,
  };
}
