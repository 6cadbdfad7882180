import type { IncomingMessage } from 'node:http';
import type { Logger } from '../logging.ts';
import type { AdmittedRequest } from './admitted-request.ts';

export interface EndedRequest {
  readonly admitted: AdmittedRequest;
  readonly request: IncomingMessage;
  readonly id: string;
  readonly status: number;
  readonly ms: number;
}

/** Called with every request that has ended. */
export type OnEnded = (ended: EndedRequest) => void;

/** Writes this part (0 to 1) of all requests to services to the log; failed ones always. */
export function accessLog(part: number, log: Logger, random: () => number = Math.random): OnEnded {
  if (part === 0) return () => {};
  return ({ admitted, request, id, status, ms }) => {
    if (status < 500 && random() >= part) return;
    const { route, target, caller } = admitted;
    // Queries often contain credentials.
    const [path = ''] = target.rest.split('?', 1);
    log.info(
      {
        service: `${route.projectName}/${route.runName}`,
        ...{ method: request.method, path: path || '/', status, ms: Math.round(ms) },
        ...{ user: caller?.name ?? null, requestId: id },
      },
      'request to a service',
    );
  };
}
