/** Answers the questions of workers, and takes what they report: the same messages as at the server. */
import { randomUUID } from 'node:crypto';
import type { GatewayFrame, GatewayModelUse } from '@dstack/contract/agent';
import {
  type AdmissionAsk,
  type CountedService,
  type EjectedReplica,
  type Handlers,
  isServerAway,
  type KeptCount,
  type KeptFiles,
  type MeasuredSlot,
  ProxyRefusal,
  type PushedTable,
  type ReplicaTarget,
  type ServiceName,
  type SharedRates,
  type SpoolDelivery,
  type UnkeptCounts,
  WithSocket,
} from '@dstack/proxy';
import type { AdmittedCallers } from './admitted-callers.ts';
import type { Figures } from './figures.ts';
import type { ServerQuestions } from './server-questions.ts';
import type { TunnelTaker } from './tunnel-relay.ts';
import type { WantedTunnels } from './wanted-tunnels.ts';

export interface GatewayDeskOptions {
  readonly questions: Pick<ServerQuestions, 'ask'>;
  readonly callers: Pick<AdmittedCallers, 'admit'>;
  readonly services: Pick<PushedTable, 'ofName'>;
  readonly figures: Pick<Figures, 'put'>;
  readonly tunnels: Pick<WantedTunnels, 'want'>;
  /** Uses of models, which workers keep on the disk until the server has stored them. */
  readonly uses: Pick<SpoolDelivery<GatewayModelUse>, 'deliverAll'>;
  readonly counts: Pick<SpoolDelivery<KeptCount>, 'deliver'>;
  /** Rates are counted for all workers. */
  readonly rates: Pick<SharedRates, 'take'>;
  /** To the server. */
  readonly send: (frame: GatewayFrame) => boolean;
  /** To all workers. */
  readonly notify: (type: 'used', data: unknown) => void;
}

export class GatewayDesk {
  readonly #options: GatewayDeskOptions;

  constructor(options: GatewayDeskOptions) {
    this.#options = options;
  }

  /** `worker`: who asks. */
  handlers(worker: object): Handlers {
    const { questions, callers, figures } = this.#options;
    return {
      admit: (ask: AdmissionAsk) => callers.admit(ask),
      isToken: async ({ text }) =>
        (await questions.ask<'is-token'>({ type: 'is-token', text })).own,
      outage: ({ project, run }) => this.#outage({ projectName: project, runName: run }),
      // A worker has all services that this process has.
      route: () => null,
      finishedModels: () => [],
      takeRate: ({ key, rate, service }) => this.#options.rates.take(key, rate, service),
      count: ({ counts }: UnkeptCounts) => this.#count(counts),
      load: (measured) => this.#load(measured),
      deliver: (kept: KeptFiles) => this.#deliver(kept),
      figures: (changed: readonly CountedService[]) => figures.put(worker, changed),
      avoided: (ejected: EjectedReplica) => this.avoided(ejected),
      port: (wanted: ReplicaTarget) => this.#port(wanted),
    };
  }

  /** A replica gets no requests for a while. */
  avoided({ runId, jobId, why, ms }: EjectedReplica): void {
    const figures =
      why.cause === 'errors_in_row'
        ? { errors: why.errors, rate: null, others: null }
        : { errors: null, rate: why.rate, others: why.others };
    const frame = { type: 'avoided', run_id: runId, job_id: jobId, ms: Math.round(ms) } as const;
    this.#options.send({ ...frame, ...figures });
  }

  #load({
    owner,
    slots,
  }: {
    readonly owner: string;
    readonly slots: readonly MeasuredSlot[];
  }): void {
    const sent = slots.map(({ runId, slot, busyMs, latencies }) => ({
      ...{ run_id: runId, slot, busy_ms: busyMs, latencies: { ...latencies } },
    }));
    this.#options.send({ type: 'load', worker: owner, slots: sent, sent_at: Date.now() });
  }

  /** The next request of a token must find what its budget has left. No request waits for the rest. */
  async #deliver({ kind, files, tokens }: KeptFiles): Promise<void> {
    const { uses, counts, notify } = this.#options;
    if (kind === 'counts') counts.deliver();
    if (tokens.length === 0) return;
    await uses.deliverAll(files);
    notify('used', { tokens });
  }

  /** Sends counts that could not be kept on the disk. They are not sent a second time. */
  #count(counts: readonly KeptCount[]): void {
    this.#options.send(countsFrame(0, null, counts));
  }

  /** Throws why the service does not answer. */
  async #outage(name: ServiceName): Promise<never> {
    const { services, questions } = this.#options;
    const { projectName, runName } = name;
    const service = services.ofName(projectName, runName);
    if (service === null) {
      throw new ProxyRefusal(404, `Service ${projectName}/${runName} not found`);
    }
    const { status, detail, retry } = await questions
      .ask<'why'>({ type: 'why', run_id: service.route.runId })
      .catch((error) => {
        if (!isServerAway(error)) throw error;
        return {
          ...{ status: 503, retry: 5 },
          detail: `Service ${projectName}/${runName} has no ready replica`,
        };
      });
    throw new ProxyRefusal(status, detail, retry > 0 ? { retryAfter: retry } : {});
  }

  /** A connection that the server opens. */
  #port({ hostId, jobId, port }: ReplicaTarget): Promise<WithSocket> {
    const frame = { type: 'tunnel', id: randomUUID(), port } as const;
    return new Promise((resolve, reject) => {
      const taker: TunnelTaker = {
        passTunnel: (_id, { socket, opening }) =>
          resolve(new WithSocket({ head: opening.rest.toString('base64') }, socket)),
        send: ({ error }) => reject(new Error(error)),
      };
      this.#options.tunnels.want(taker, { ...frame, host_id: hostId, job_id: jobId });
    });
  }
}

/** The message to the server with counts that were kept. */
export function countsFrame(
  n: number,
  batch: string | null,
  items: readonly KeptCount[],
): Extract<GatewayFrame, { type: 'counts' }> {
  const waiting = items.flatMap(({ runId, wakes }) => (wakes ? [runId] : []));
  const counts = items.map(({ runId, second, requests }) => ({ run_id: runId, second, requests }));
  const sent = { waiting: [...new Set(waiting)], sent_at: Date.now() };
  return { type: 'counts', n, batch, counts, ...sent };
}
