import type { RequestStats } from '../policy/service-stats.ts';
import { ProxyRefusal } from '../refusals/refusal.ts';
import { opensWebSocket } from '../requests/upgrade.ts';
import type { ServiceRoute } from '../routes/service-route.ts';
import { accessRecord, type EndedRequest, type OnEnded } from './access-log.ts';
import { type AccessPage, AccessRecords } from './access-records.ts';

export interface RequestLogOptions {
  readonly stats: RequestStats;
  /** The address of the client. */
  readonly addressOf: (request: EndedRequest['request']) => string;
  readonly onEnded: OnEnded;
}

export interface BegunRequest extends Omit<EndedRequest, 'status' | 'ms' | 'jobId'> {
  readonly route: ServiceRoute;
}

interface GivenAnswer {
  readonly status: number;
  /** The job of the replica that gave the answer. */
  readonly jobId: string;
}

/** Counts and records requests to services when they have ended. */
export class RequestLog {
  readonly #options: RequestLogOptions;
  readonly #access = new AccessRecords();

  constructor(options: RequestLogOptions) {
    this.#options = options;
  }

  /** See `AccessRecords.since`. */
  since(runId: string, after: number | null): AccessPage {
    return this.#access.since(runId, after);
  }

  /** The returned function is called once, with the status of the answer and the job that gave it. */
  begin(begun: BegunRequest): (status: number, jobId: string | null) => void {
    const { stats, addressOf, onEnded } = this.#options;
    const { route, request } = begun;
    const at = performance.now();
    stats.begun(route);
    return (status, jobId) => {
      const { path, user, id } = begun;
      const ms = performance.now() - at;
      const ended = { route, request, path, user, id, status, ms, jobId };
      // The duration of a WebSocket is no latency of the app.
      if (!opensWebSocket(request)) stats.add(route, status, ended.ms);
      this.#access.add(route.runId, accessRecord(ended, addressOf(request)));
      onEnded(ended);
    };
  }

  async record(begun: BegunRequest, answer: () => Promise<GivenAnswer>): Promise<void> {
    const ended = this.begin(begun);
    try {
      const { status, jobId } = await answer();
      ended(status, jobId);
    } catch (error) {
      ended(failureStatus(error), null);
      throw error;
    }
  }
}

/** The status of an answer in place of the service's. */
export function failureStatus(error: unknown): number {
  return error instanceof ProxyRefusal ? error.status : 500;
}
