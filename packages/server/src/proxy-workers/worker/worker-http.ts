/** The HTTP server of a worker: it answers services and models, and passes everything else to the server. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { isOwnPath, type ServiceOrigins } from '@dstack/proxy';
import type { FastifyInstance } from 'fastify';
import { baseHttp } from '../../http/base-http.ts';
import { answerUnknown } from '../../http/error-answers.ts';
import { DirectRequests } from '../../http/proxy/direct-requests.ts';
import { type ProxyRouteDeps, proxyRoutes, serviceUpgrades } from '../../http/proxy/routes.ts';
import type { PassToServer } from './pass-to-server.ts';

const isProxied = ({ url }: IncomingMessage) => url?.startsWith('/proxy/') === true;

/** Signing in needs the database: the server gets the URL as it was sent. */
function takeOrigin(origins: ServiceOrigins | null, request: IncomingMessage): void {
  const taken = origins?.take(request) ?? null;
  if (taken !== null && isOwnPath(taken.url)) request.url = taken.url;
}

export interface WorkerHttp {
  readonly app: FastifyInstance;
  readonly server: Server;
}

export async function workerHttp(
  given: Omit<ProxyRouteDeps, 'direct'>,
  pass: PassToServer,
): Promise<WorkerHttp> {
  const deps = { ...given, direct: new DirectRequests(given) };
  const app = baseHttp(deps, (handle, options) => {
    const own = deps.direct.before(handle);
    return createServer(options, (request, response) => {
      takeOrigin(deps.origins, request);
      if (isProxied(request)) own(request, response);
      else pass.request(request, response);
    });
  });
  app.setNotFoundHandler(answerUnknown);
  proxyRoutes(app, deps);
  const upgrade = serviceUpgrades(deps);
  const { server } = app;
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    takeOrigin(deps.origins, request);
    if (isProxied(request)) upgrade(request, socket, head);
    else pass.upgrade(request, socket, head);
  });
  await app.ready();
  return { app, server };
}
