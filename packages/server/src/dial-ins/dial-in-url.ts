import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { DIAL_OUT_PATH, FORMER_DIAL_OUT_PATH } from '@dstack/contract/agent';
import type { FastifyInstance } from 'fastify';

/** Whether a request for an upgrade is the connection of an agent. */
export const isDialIn = (url: string | undefined): boolean =>
  url?.startsWith(DIAL_OUT_PATH) === true || url?.startsWith(FORMER_DIAL_OUT_PATH) === true;

/** Characters of the names of instances of all kinds. */
const INSTANCE = /^[a-z0-9][a-z0-9.-]{0,127}$/;

/** Behind the former path: the name of the Slurm job, and the number of the node in it. */
const FORMER = /^(dstack-[a-z0-9-]{1,57})\/(\d{1,5})$/;

/** An agent that connects. */
export interface DialledAgent {
  readonly instance: string;
  /** The name that its token derives from: its instance, or the Slurm job of the previous version. */
  readonly tokenOf: string;
}

/** Null if the URL names no instance. */
export function dialledAgent(url = ''): DialledAgent | null {
  if (url.startsWith(DIAL_OUT_PATH)) {
    const instance = url.slice(DIAL_OUT_PATH.length);
    return INSTANCE.test(instance) ? { instance, tokenOf: instance } : null;
  }
  const [, job, rank] = FORMER.exec(url.slice(FORMER_DIAL_OUT_PATH.length)) ?? [];
  return job === undefined ? null : { instance: `${job}.${Number(rank)}`, tokenOf: job };
}

/** For servers to which agents do not connect: no other listener answers these requests. */
export function refuseDialIns(app: Pick<FastifyInstance, 'server'>): void {
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    if (isDialIn(request.url)) socket.on('error', () => {}).destroy();
  });
}
