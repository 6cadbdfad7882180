import type { IncomingMessage } from 'node:http';
import type { AccessRecord } from '@dstack/contract/wire';
import type { ProxyLog } from '../log.ts';
import type { ServiceRoute } from '../routes/service-route.ts';

export interface EndedRequest {
  readonly route: Pick<ServiceRoute, 'projectName' | 'runName' | 'runId'>;
  readonly request: Pick<IncomingMessage, 'method' | 'headers' | 'rawHeaders' | 'socket'>;
  /** The path that the service received, or would have received, with its query. */
  readonly path: string;
  /** Name of the caller; null: the service needs no token. */
  readonly user: string | null;
  readonly id: string;
  /** 101: a WebSocket that was opened. */
  readonly status: number;
  readonly ms: number;
  /** The job of the replica that answered; null = none did. */
  readonly jobId: string | null;
}

/** For those who watch the requests of one service. */
export function accessRecord(ended: EndedRequest, address: string): AccessRecord {
  const { request, path, user, id, status, ms, jobId } = ended;
  const { method = '' } = request;
  const record = { time: Date.now(), method, path: withoutQuery(path), status };
  return { ...record, ms: Math.round(ms * 10) / 10, user, address, request_id: id, job_id: jobId };
}

/** Queries often contain credentials. */
function withoutQuery(path: string): string {
  return path.split('?', 1)[0] || '/';
}

/** Called with every request that has ended. */
export type OnEnded = (ended: EndedRequest) => void;

/** Writes this part (0 to 1) of all requests to services to the log; failed ones always. */
export function accessLog(
  part: number,
  log: ProxyLog,
  random: () => number = Math.random,
): OnEnded {
  if (part === 0) return () => {};
  return ({ route, request, path, user, id, status, ms }) => {
    if (status < 500 && random() >= part) return;
    log.info(
      {
        service: `${route.projectName}/${route.runName}`,
        ...{ method: request.method, path: withoutQuery(path), status, ms: Math.round(ms) },
        ...{ user, requestId: id },
      },
      'request to a service',
    );
  };
}
