import type { IncomingMessage } from 'node:http';
import { OwnTokens } from '../callers/own-tokens.ts';
import type { TokenMarks } from '../callers/token-marks.ts';
import { WorkerAdmission } from '../callers/worker-admission.ts';
import { ChangedFigures } from '../counts/changed-figures.ts';
import { KeptCounts } from '../counts/kept-counts.ts';
import { KeptUses } from '../counts/kept-uses.ts';
import type { CountedService } from '../counts/proxy-figures.ts';
import type { ServerLink } from '../link/server-link.ts';
import type { Handlers } from '../link/worker-channel.ts';
import type { MeteredUse } from '../models/metered-use.ts';
import { serviceUsage } from '../models/service-usage.ts';
import { translation } from '../models/translation.ts';
import type { ProxyRefusal } from '../refusals/refusal.ts';
import { ServiceProxy } from '../requests/service-proxy.ts';
import type { ServiceProxyOptions } from '../requests/service-proxy-options.ts';
import type { Known, PushedRoute } from './protocol.ts';
import { PushedServices } from './pushed-services.ts';

/** Counted requests are on the disk after this time (ms): a worker that is killed loses no more. */
const COUNTS_MS = 50;
/** The same while no process adds them up. */
const ALONE_MS = 1000;
/** The same of figures, which the process that leads a worker keeps. */
const FIGURES_MS = 50;
/** Services whose figures are reported so soon; those of others follow within a second. */
const MOST_SOON = 50;

export interface ServiceWorkerOptions
  extends Pick<
    ServiceProxyOptions,
    | ('open' | 'returnsUntil' | 'trust' | 'timeoutMs' | 'maxBody' | 'maxHeld' | 'processes')
    | ('onEnded' | 'shared' | 'now' | 'log')
  > {
  readonly link: ServerLink;
  /** Folders for what models have used and for counted requests. */
  readonly spools: { readonly uses: string; readonly counts: string };
  /** How a use is written, where that differs from `MeteredUse`. */
  readonly useForm?: (use: MeteredUse) => object;
  /** The address of a caller. */
  readonly addressOf: (request: IncomingMessage) => string;
  /** Without a server a caller is admitted so long (ms) after the server has confirmed the access. */
  readonly maxAgeMs: () => number;
  /** See `WorkerAdmissionOptions`. */
  readonly unknown?: () => ProxyRefusal;
  /** Tokens of the server's settings, which no app may receive. */
  readonly tokens: readonly string[];
  /** The marks of tokens that the worker must not know. */
  readonly marks?: () => TokenMarks;
  /** Rates of services are counted for all workers together. */
  readonly sharesRates: boolean;
  readonly onHosts: (hosts: PushedRoute['hosts']) => void;
  /** The services have changed, or have left. */
  readonly onServices: () => void;
}

/**
 * Everything in a worker that answers requests to services, between a front, which accepts the connections of clients,
 * and a link to the process that leads it.
 */
export class ServiceWorker {
  readonly proxy: ServiceProxy;
  readonly services: PushedServices;
  readonly admission: WorkerAdmission;
  readonly usage: KeptUses;
  readonly #options: ServiceWorkerOptions;
  readonly #figures = new ChangedFigures();
  /** Services with requests that have ended since the last report. */
  readonly #counted = new Set<string>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: ServiceWorkerOptions) {
    const { link, spools, useForm, tokens, sharesRates, now, log } = options;
    this.#options = options;
    const counts = new KeptCounts({ link, dir: spools.counts, now: () => now() / 1000, log });
    this.services = new PushedServices({ link, onHosts: options.onHosts, counts });
    this.usage = new KeptUses({
      ...{ link, dir: spools.uses, log },
      ...(useForm && { form: useForm }),
    });
    this.admission = new WorkerAdmission({ ...options, now: () => now() / 1000 });
    this.proxy = new ServiceProxy({
      ...options,
      services: this.services,
      countsEveryMs: () => (link.isAlone ? ALONE_MS : COUNTS_MS),
      readOutage: (project, run) => link.ask('outage', { project, run }),
      admit: this.admission.admit,
      ownTokens: new OwnTokens({
        isToken: (text) => link.ask('isToken', { text }),
        settings: tokens,
        ...(options.marks && { marks: options.marks }),
        now: () => performance.now(),
        log,
      }),
      onEnded: (ended) => {
        options.onEnded?.(ended);
        this.#onCounted(ended.route.runId);
      },
      onEjected: (ejected) => link.notify('avoided', ejected),
      onModelUse: serviceUsage({ modelUsage: this.usage, now, log }),
      ...(sharesRates && { takeRate: this.services.takeSharedRate }),
    });
    // A process that has just connected would show lower figures than the one before it.
    link.onPresent(() => this.sendFigures());
  }

  /** The messages of the process that leads this worker, once it has taken `Known`. */
  readonly handlers: Handlers = {
    route: (route: PushedRoute) => this.#put(route),
    granted: (grant: Known['grants'][number]) => this.admission.put(grant),
    stale: ({ key }) => this.admission.stale(key),
    revoked: ({ key }) => this.admission.revoke(key),
    changed: () => this.admission.changed(),
    used: ({ tokens }) => this.admission.tokensUsed(new Set(tokens)),
    access: ({ runId, after }) => this.proxy.accessSince(runId, after),
    leave: ({ jobId }) => this.#leave(jobId),
  };

  /** Replaces all services. A process that has just connected knows no figures either. */
  take({ routes, grants, kept = [] }: Known): void {
    for (const route of routes) this.#prepare(route);
    for (const runId of this.services.table.replace(routes)) this.proxy.changed(runId);
    this.#options.onServices();
    this.admission.restore(kept);
    for (const grant of grants) this.admission.put(grant);
    this.#figures.of([]);
  }

  /** Reports the figures that have changed. */
  sendFigures(): void {
    if (this.#options.link.isAlone) return;
    const own = this.proxy.figures.filter((one) => this.#isPresent(one));
    this.#send(this.#figures.of(own));
  }

  #onCounted(runId: string): void {
    if (this.#counted.size < MOST_SOON) this.#counted.add(runId);
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      const own = this.proxy.figuresOf(this.#counted).filter((one) => this.#isPresent(one));
      this.#counted.clear();
      if (!this.#options.link.isAlone) this.#send(this.#figures.among(own));
    }, this.#soon).unref();
  }

  /** Reading the figures of a service takes longer, the more services and replicas there are. */
  get #soon(): number {
    return Math.max(FIGURES_MS, this.services.table.size / 2);
  }

  #send(changed: readonly CountedService[]): void {
    if (changed.length > 0) this.#options.link.notify('figures', changed);
  }

  /** A later run may have its name. */
  #isPresent({ projectName, runName, runId }: CountedService): boolean {
    return this.services.table.ofName(projectName, runName)?.route.runId === runId;
  }

  #prepare({ hosts, service }: PushedRoute): void {
    this.#options.onHosts(hosts);
    const { format = 'openai' } = service?.served?.model ?? {};
    // The request that needs it gets the error.
    if (format !== 'openai') translation().catch(() => {});
  }

  #put(route: PushedRoute): void {
    this.#prepare(route);
    this.services.table.put(route);
    this.proxy.changed(route.runId);
    this.#options.onServices();
  }

  /** Sends no more requests to the job; resolves when it answers none. */
  #leave(jobId: string): Promise<void> {
    return new Promise((resolve) => {
      const whenIdle = () => {
        if (this.proxy.leave(jobId, () => {})) resolve();
      };
      if (this.proxy.leave(jobId, whenIdle)) resolve();
    });
  }
}
