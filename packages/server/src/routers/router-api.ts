/** The API by which a router of the kind `smg` learns of its workers. */
import * as z from 'zod';
import { type AppRequest, type OpenApp, requestOver } from './request-over.ts';
import type { WorkerKind } from './worker-kind.ts';

/** Names the job of a worker, so that nothing that others have registered is removed. */
export const WORKER_LABEL = 'dstack.ai/job-id';

/** Most bytes of a list, and most workers in it. */
const LIST_LIMIT = 2 * 1024 * 1024;
const MOST_WORKERS = 8192;
const ANSWER_LIMIT = 64 * 1024;
const PATIENCE_MS = 10_000;

const Workers = z.object({
  workers: z
    .array(
      z.object({
        id: z.string().min(1).max(300),
        url: z.string().max(2000),
        labels: z.record(z.string(), z.string()).nullish(),
      }),
    )
    .max(MOST_WORKERS),
});

const Accepted = z.object({ status: z.literal('accepted') });
const Conflict = z.object({
  code: z.enum(['WORKER_ALREADY_EXISTS', 'WORKER_CREATE_IN_PROGRESS']),
});

export interface RegisteredWorker {
  readonly id: string;
  readonly url: string;
  /** The job that the worker was registered for; null = not registered by dstack. */
  readonly jobId: string | null;
}

export interface NewWorker {
  readonly jobId: string;
  /** IP address or host name. */
  readonly address: string;
  readonly port: number;
  readonly kind: WorkerKind;
}

export class RouterApi {
  readonly #open: OpenApp;
  readonly #closing: AbortSignal;

  constructor(open: OpenApp, closing: AbortSignal) {
    this.#open = open;
    this.#closing = closing;
  }

  async workers(): Promise<RegisteredWorker[]> {
    const { status, body } = await this.#ask({ path: '/workers', limit: LIST_LIMIT });
    if (status !== 200) throw new Error(`the router answered its list of workers with ${status}`);
    return Workers.parse(body).workers.map(({ id, url, labels }) => ({
      ...{ id, url },
      jobId: labels?.[WORKER_LABEL] ?? null,
    }));
  }

  /** Registers a worker; one that is registered already stays as it is. */
  async add({ jobId, address, port, kind }: NewWorker): Promise<void> {
    const { status, body } = await this.#ask({
      ...{ method: 'POST', path: '/workers', limit: ANSWER_LIMIT },
      body: {
        url: workerUrl(kind.connection, address, port),
        worker_type: kind.role,
        connection_mode: kind.connection,
        runtime_type: kind.runtime,
        ...(kind.bootstrapPort !== null && { bootstrap_port: kind.bootstrapPort }),
        ...(kind.kvConnector !== null && { kv_connector: kind.kvConnector }),
        ...(kind.kvRole !== null && { kv_role: kind.kvRole }),
        labels: { [WORKER_LABEL]: jobId },
      },
    });
    if (status === 202 && Accepted.safeParse(body).success) return;
    if (status === 409 && Conflict.safeParse(body).success) return;
    throw new Error(`the router refused a worker with ${status}: ${shown(body)}`);
  }

  /** A worker that the router does not have is no error. */
  async remove(id: string): Promise<void> {
    const path = `/workers/${encodeURIComponent(id)}`;
    const { status, body } = await this.#ask({ method: 'DELETE', path, limit: ANSWER_LIMIT });
    if (status === 404 || (status === 202 && Accepted.safeParse(body).success)) return;
    throw new Error(`the router refused to remove a worker with ${status}: ${shown(body)}`);
  }

  #ask(request: Omit<AppRequest, 'signal'>) {
    const signal = AbortSignal.any([this.#closing, AbortSignal.timeout(PATIENCE_MS)]);
    return requestOver(this.#open, { ...request, signal });
  }
}

/** Addresses of IPv6 need brackets. */
function workerUrl(scheme: WorkerKind['connection'], address: string, port: number): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return `${scheme}://${host}:${port}`;
}

/** The start of an answer that the router has given, for a line in the log. */
const shown = (body: unknown): string => (JSON.stringify(body) ?? 'no JSON').slice(0, 300);
