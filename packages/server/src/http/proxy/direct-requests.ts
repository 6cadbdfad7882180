/** Requests to services, answered without the framework. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { ServiceProxy } from '@dstack/proxy';
import {
  dropRest,
  grantText,
  isOfNginx,
  isOwnPath,
  type NginxReport,
  nginxReport,
  type ServiceTarget,
  serviceTarget,
} from '@dstack/proxy';
import type { HttpDeps } from '../ports.ts';
import { requestIdOf } from '../request-id.ts';

export interface DirectRequestsDeps extends Pick<HttpDeps, 'shutdown' | 'origins' | 'log'> {
  readonly services: Pick<ServiceProxy, 'admit' | 'forward' | 'undelivered'>;
  /** See `ProxyRouteDeps`. */
  readonly generation?: () => string | null;
}

/** The report of nginx on a request that it has passed on; null: a client has sent it here. */
const reportOf = (request: IncomingMessage): NginxReport | null =>
  isOfNginx(request.socket) ? nginxReport(request) : null;

/** Methods of WebDAV and its extensions, which apps may support; the API has none of them. */
export const WEBDAV: readonly string[] = [
  ...['PROPFIND', 'PROPPATCH', 'MKCOL', 'COPY', 'MOVE', 'LOCK', 'UNLOCK'],
  ...['REPORT', 'SEARCH', 'ACL', 'MKCALENDAR', 'BIND', 'UNBIND', 'REBIND'],
];

/** Other methods are refused, by the routes. */
const METHODS: ReadonlySet<string | undefined> = new Set([
  ...['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'],
  ...WEBDAV,
]);

/** The routes refuse longer names. */
const MAX_PREFIX = 1000;

/**
 * Answers requests to services before the framework sees them: its routing, its objects and its hooks cost more
 * than what is done for a request here. It answers all that is not a plain request to a service, and everything
 * that fails: errors become answers in one place only.
 */
export class DirectRequests {
  readonly #deps: DirectRequestsDeps;
  readonly #failures = new WeakMap<IncomingMessage, { readonly error: unknown }>();

  constructor(deps: DirectRequestsDeps) {
    this.#deps = deps;
  }

  /** A listener that leaves to `handle`, the framework, what is not answered here. */
  before(handle: RequestListener): RequestListener {
    return (request, response) => {
      if (!this.#isPlain(request)) {
        handle(request, response);
        return;
      }
      this.#answer(request, response, handle).catch((error: unknown) => {
        this.#deps.log.error({ err: error }, 'the answer of a service was cut off');
        response.destroy();
      });
    };
  }

  /** Why the request was not answered here; null: it was not tried. */
  failure(request: IncomingMessage): { readonly error: unknown } | null {
    return this.#failures.get(request) ?? null;
  }

  /** Browsers that ask by the rules of origins are answered by the routes. */
  #isPlain(request: IncomingMessage): boolean {
    const { url, method, headers } = request;
    // It was sent to an app already, and must not be sent again.
    if ((reportOf(request)?.failure ?? null) !== null) return true;
    if (url?.startsWith('/proxy/') !== true || this.#deps.shutdown.isEnding) return false;
    return METHODS.has(method) && headers.origin === undefined;
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    handle: RequestListener,
  ): Promise<void> {
    const { services, shutdown } = this.#deps;
    const id = requestIdOf(request);
    try {
      const target = this.#ofPath(request) ?? (await this.#ofHost(request));
      if (target === null) return void handle(request, response);
      shutdown.track(response);
      // Read before the admission: a change after it must make the answer outdated.
      const generation = this.#deps.generation?.() ?? null;
      const admitted = await services.admit(target, request, response);
      const report = reportOf(request);
      if (report?.wantsGrant && generation !== null) {
        response.setHeader('X-Dstack-Grant', grantText(admitted, request, generation));
      }
      if (report?.isQuestion) response.writeHead(204).end();
      else if (report?.failure)
        await services.undelivered(admitted, { request, id }, report.failure);
      else await services.forward(admitted, { request, response, id });
    } catch (error) {
      if (response.headersSent) throw error;
      dropRest(request, response);
      // The answer names the same request as the log does.
      request.headers['x-request-id'] = id;
      this.#failures.set(request, { error });
      handle(request, response);
    }
  }

  #ofPath({ url = '' }: IncomingMessage): ServiceTarget | null {
    const target = serviceTarget(url);
    const isWhole = target?.rest.startsWith('/') === true && target.prefix.length <= MAX_PREFIX;
    return isWhole ? target : null;
  }

  async #ofHost(request: IncomingMessage): Promise<ServiceTarget | null> {
    const { origins } = this.#deps;
    const taken = origins?.of(request) ?? null;
    if (origins === null || taken === null || isOwnPath(taken.url)) return null;
    return await origins.target(request);
  }
}
