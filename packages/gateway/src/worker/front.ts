/** Requests of clients, as nginx passes them on. */
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { HostMatch, ProxyLog, PushedService, PushedTable } from '@dstack/proxy';
import {
  grantText,
  nginxReport,
  OPEN_TO_ORIGINS,
  originForm,
  PREFLIGHT_ANSWER,
  ProxyRefusal,
  rawOf,
  refusalBody,
  refuseCall,
  refuseUpgrade,
  type ServiceProxy,
  type ServiceTarget,
  showClient,
} from '@dstack/proxy';
import type { ModelFront } from './model-front.ts';
import { originOf, type RequestOrigin, unknownHost } from './origin.ts';

export interface FrontOptions {
  readonly services: Pick<PushedTable, 'ofHost'>;
  readonly proxy: ServiceProxy;
  readonly models: ModelFront;
  readonly httpsPort: () => number;
  /** See `GatewayState`. */
  readonly generation: () => string | null;
  readonly log: ProxyLog;
}

export class Front {
  readonly #options: FrontOptions;
  /** No new requests may use a connection after this answer. */
  isLeaving = false;

  constructor(options: FrontOptions) {
    this.#options = options;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.isLeaving) response.shouldKeepAlive = false;
    showClient(request);
    const origin = originOf(request);
    let found: HostMatch<PushedService> | null = null;
    try {
      checkName(origin);
      found = this.#options.services.ofHost(origin.host, originForm(request.url ?? '/'));
      if (found === null) {
        await this.#options.models.answer(origin.host, request, response);
      } else {
        await this.#forward(found, origin, request, response);
      }
    } catch (error) {
      // The address of models has OpenAI's API alone.
      const path = found === null ? '/v1/' : found.rest;
      this.#refuse(error, { service: found?.service ?? null, path }, request, response);
    }
  }

  /** A call of gRPC. */
  async call(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const request = headOf(headers);
    showClient(request);
    try {
      const origin = originOf(request);
      checkName(origin);
      const found = this.#options.services.ofHost(origin.host, originForm(request.url ?? '/'));
      if (found === null) throw unknownHost(origin.host);
      const { proxy } = this.#options;
      const { service } = found;
      const admitted = await proxy.admit(target(found), request, stream);
      if (!service.isGrpc)
        throw new ProxyRefusal(415, `${service.route.runName} has no \`protocol: grpc\``);
      await proxy.call(admitted, { request, stream, id: randomUUID() });
    } catch (error) {
      if (!(error instanceof ProxyRefusal)) this.#options.log.error({ err: error }, 'call failed');
      if (stream.headersSent || stream.destroyed) stream.destroy();
      else refuseCall(stream, error instanceof ProxyRefusal ? error : failed());
    }
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    showClient(request);
    socket.on('error', () => socket.destroy());
    try {
      const origin = originOf(request);
      checkName(origin);
      const found = this.#options.services.ofHost(origin.host, originForm(request.url ?? '/'));
      if (found === null) throw unknownHost(origin.host);
      const redirect = this.#toHttps(found, origin, request);
      if (redirect !== null) {
        const { status, location } = redirect;
        const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, `Location: ${location}`];
        const head = [...lines, 'Content-Length: 0', 'Connection: close'].join('\r\n');
        socket.end(`${head}\r\n\r\n`, 'latin1');
        return;
      }
      const admitted = await this.#options.proxy.admit(target(found), request, socket);
      await this.#options.proxy.upgrade(admitted, { request, socket, head, id: randomUUID() });
    } catch (error) {
      if (error instanceof ProxyRefusal && socket.writable) {
        refuseUpgrade(socket, error);
        return;
      }
      if (!(error instanceof ProxyRefusal))
        this.#options.log.error({ err: error }, 'upgrade failed');
      socket.destroy();
    }
  }

  async #forward(
    found: HostMatch<PushedService>,
    origin: RequestOrigin,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { proxy } = this.#options;
    const { service, prefix, rest } = found;
    const redirect = this.#toHttps(found, origin, request);
    if (redirect !== null) {
      response.writeHead(redirect.status, { location: redirect.location }).end();
      return;
    }
    const isOpen = service.route.isOpenToOrigins && request.headers.origin !== undefined;
    if (isOpen && isPreflight(request)) {
      response.writeHead(204, PREFLIGHT_ANSWER).end();
      return;
    }
    // Relative links of an app resolve into the app only from below its path.
    if (prefix !== '' && !rest.startsWith('/') && service.route.stripPrefix) {
      response.writeHead(308, { location: `${prefix}/${rest}` }).end();
      return;
    }
    // Read before the admission: a change after it must make the answer outdated.
    const generation = this.#options.generation();
    const admitted = await proxy.admit(target(found), request, response);
    const report = nginxReport(request);
    if (report.wantsGrant && generation !== null) {
      response.setHeader('X-Dstack-Grant', grantText(admitted, request, generation));
    }
    if (report.isQuestion) {
      response.writeHead(204).end();
      return;
    }
    if (report.failure !== null) {
      await proxy.undelivered(admitted, { request, id: randomUUID() }, report.failure);
      return;
    }
    if (service.isGrpc)
      throw new ProxyRefusal(415, `${service.route.runName} answers calls of gRPC only`);
    await proxy.forward(admitted, { request, response, id: randomUUID() });
  }

  /** Null: the service may be used over this connection. */
  #toHttps(
    { service }: HostMatch<PushedService>,
    { host, isSecure }: RequestOrigin,
    { method, url = '/' }: IncomingMessage,
  ): { readonly status: number; readonly location: string } | null {
    if (!service.https || isSecure) return null;
    const { httpsPort } = this.#options;
    const port = httpsPort() === 443 ? '' : `:${httpsPort()}`;
    // Clients would repeat another method as GET, without its body.
    const status = method === 'GET' || method === 'HEAD' ? 301 : 308;
    return { status, location: `https://${host}${port}${url}` };
  }

  #refuse(
    error: unknown,
    { service, path }: { readonly service: PushedService | null; readonly path: string },
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    if (!(error instanceof ProxyRefusal)) this.#options.log.error({ err: error }, 'request failed');
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const refusal = error instanceof ProxyRefusal ? error : failed();
    const body = JSON.stringify(refusalBody(refusal, path));
    const isOpen = service?.route.isOpenToOrigins === true && request.headers.origin !== undefined;
    // The rest of a body that is not read must not be taken for another request.
    const hasBody = request.headers['content-length'] ?? request.headers['transfer-encoding'];
    response.writeHead(refusal.status, {
      'content-type': 'application/json',
      ...(refusal.retryAfter !== null && { 'retry-after': String(refusal.retryAfter) }),
      ...(isOpen && OPEN_TO_ORIGINS),
      ...(hasBody !== undefined && !request.complete && { connection: 'close' }),
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  }
}

const failed = () => new ProxyRefusal(500, 'The gateway has failed');

/** The head of a call, as other requests have it. */
function headOf(headers: IncomingHttpHeaders): IncomingMessage {
  // nginx sends the name that the client has requested in this header.
  const { host = '', ...rest } = headers;
  return {
    ...{ method: headers[':method'], url: headers[':path'], socket: {} },
    headers: { ...rest, host },
    rawHeaders: ['host', host, ...rawOf(rest)],
  } as unknown as IncomingMessage;
}

/** One connection must not be used for names that its certificate was not checked for. */
function checkName({ host, sni }: RequestOrigin): void {
  if (sni === null || sni === host) return;
  throw new ProxyRefusal(421, `This connection was opened for ${sni}, not for ${host}`);
}

function target({ service, prefix, rest }: HostMatch<PushedService>): ServiceTarget {
  const { projectName: project, runName: run } = service.route;
  return { project, run, prefix, rest, isOnSharedName: prefix !== '' };
}

function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}
