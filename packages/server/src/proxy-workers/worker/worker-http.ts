/** The HTTP server of a worker: it answers services and models, and passes everything else to the server. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { isOwnPath, type ServiceOrigins } from '@dstack/proxy';
import type { FastifyInstance } from 'fastify';
import { baseHttp } from '../../http/base-http.ts';
import { answerUnknown } from '../../http/error-answers.ts';
import { type ProxyRouteDeps, proxyRoutes } from '../../http/proxy/routes.ts';
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

export async function workerHttp(deps: ProxyRouteDeps, pass: PassToServer): Promise<WorkerHttp> {
  const app = baseHttp(deps, (handle, options) =>
    createServer(options, (request, response) => {
      takeOrigin(deps.origins, request);
      if (isProxied(request)) handle(request, response);
      else pass.request(request, response);
    }),
  );
  app.setNotFoundHandler(answerUnknown);
  proxyRoutes(app, deps);
  const { server } = app;
  // The routes of services handle the upgrades below their path only.
  const [ofServices] = server.listeners('upgrade') as UpgradeListener[];
  server.removeAllListeners('upgrade');
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    takeOrigin(deps.origins, request);
    if (isProxied(request)) ofServices?.(request, socket, head);
    else pass.upgrade(request, socket, head);
  });
  await app.ready();
  return { app, server };
}

type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
