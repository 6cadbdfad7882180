import type { IncomingMessage } from 'node:http';
import type { AccessRecord } from '@dstack/contract/wire';
import type { Logger } from '../logging.ts';
import type { AdmittedRequest } from './admitted-request.ts';

export interface EndedRequest {
  readonly admitted: AdmittedRequest;
  readonly request: IncomingMessage;
  readonly id: string;
  readonly status: number;
  readonly ms: number;
}

/** For those who watch the requests of one service. */
export function accessRecord(
  { admitted, request, id, status, ms }: EndedRequest,
  address: string,
): AccessRecord {
  const { method = '' } = request;
  const user = admitted.caller?.name ?? null;
  const record = { time: Date.now(), method, path: pathWithoutQuery(admitted), status };
  return { ...record, ms: Math.round(ms * 10) / 10, user, address, request_id: id };
}

/** Queries often contain credentials. */
function pathWithoutQuery({ target }: AdmittedRequest): string {
  return target.rest.split('?', 1)[0] || '/';
}

/** Called with every request that has ended. */
export type OnEnded = (ended: EndedRequest) => void;

/** Writes this part (0 to 1) of all requests to services to the log; failed ones always. */
export function accessLog(part: number, log: Logger, random: () => number = Math.random): OnEnded {
  if (part === 0) return () => {};
  return ({ admitted, request, id, status, ms }) => {
    if (status < 500 && random() >= part) return;
    const { route, caller } = admitted;
    log.info(
      {
        service: `${route.projectName}/${route.runName}`,
        ...{ method: request.method, path: pathWithoutQuery(admitted), status, ms: Math.round(ms) },
        ...{ user: caller?.name ?? null, requestId: id },
      },
      'request to a service',
    );
  };
}
