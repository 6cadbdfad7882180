import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { DIAL_OUT_PATH } from '@dstack/contract/agent';
import type { FastifyInstance } from 'fastify';

/** Whether a request for an upgrade is the connection of an agent. */
export const isDialIn = (url: string | undefined): boolean =>
  url?.startsWith(DIAL_OUT_PATH) === true;

/** For servers to which agents do not connect: no other listener answers these requests. */
export function refuseDialIns(app: Pick<FastifyInstance, 'server'>): void {
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    if (isDialIn(request.url)) socket.on('error', () => {}).destroy();
  });
}
