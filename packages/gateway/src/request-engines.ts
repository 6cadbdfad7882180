import type { AccessPages, GatewayCommand } from '@dstack/contract/agent';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { Known, PlainEngine, ProxyLog, RequestEngine } from '@dstack/proxy';
import type { AdmittedCallers } from './admitted-callers.ts';
import type { Figures } from './figures.ts';
import type { GatewayDesk } from './gateway-desk.ts';
import { pushedRoutes } from './pushed-route.ts';
import type { Supply } from './supply.ts';
import type { GatewayState } from './worker/gateway-state.ts';
import { Workers, type WorkersOptions } from './workers.ts';

export interface RequestEnginesOptions
  extends Pick<WorkersOptions, 'runtime' | 'group' | 'spools'> {
  /** nginx, as far as it answers requests itself. */
  readonly plain: PlainEngine;
  readonly supply: Pick<Supply, 'settings' | 'services' | 'limits'>;
  readonly callers: Pick<AdmittedCallers, 'all'>;
  readonly desk: Pick<GatewayDesk, 'handlers'>;
  readonly figures: Pick<Figures, 'ended'>;
  /** The private key for replicas on other hosts. */
  readonly tunnelKey: string;
  /** Whether there is a server. */
  readonly isOnline: () => boolean;
  readonly log: ProxyLog;
}

/** An engine that is busier is left out of the latest requests, in milliseconds. */
const ACCESS_MS = 500;

/** All that answer requests: the workers, and nginx itself. */
export class RequestEngines {
  readonly #options: RequestEnginesOptions;
  #workers: Workers | null = null;

  constructor(options: RequestEnginesOptions) {
    this.#options = options;
  }

  /** Those of the workers. */
  get sockets(): string[] {
    return this.#workers?.sockets ?? [];
  }

  /** To all workers. */
  notify(type: string, data: unknown): void {
    this.#workers?.notify(type, data);
  }

  /** To all workers. */
  sendState(state: Partial<GatewayState>): void {
    this.notify('state', state);
  }

  /** Makes the facts about callers that nginx has stored invalid. */
  renewGeneration(): void {
    const { plain } = this.#options;
    plain.renewGeneration();
    this.sendState({ generation: plain.generation });
  }

  setOnline(online: boolean): void {
    const { plain } = this.#options;
    plain.isOnline = online;
    this.sendState({ online, generation: plain.generation });
  }

  /** Resolves when there are workers with the present time limit. */
  async ensureWorkers(): Promise<void> {
    const { runtime, group, spools, supply, desk, figures, log } = this.#options;
    const timeoutMs = supply.settings?.settings.timeout_ms ?? 0;
    if (this.#workers?.timeoutMs === timeoutMs) return;
    const before = this.#workers;
    const workers = new Workers({
      ...{ runtime, group, timeoutMs, spools, log },
      initial: () => this.#initial(),
      handlers: (worker) => desk.handlers(worker),
      onExit: (worker) => figures.ended(worker),
    });
    this.#workers = workers;
    await workers.start();
    before?.leave();
  }

  /** The latest requests of a service. An engine that ends meanwhile, or is too busy, is left out. */
  async access({
    run_id: runId,
    after,
  }: Extract<GatewayCommand, { type: 'access' }>): Promise<AccessPages> {
    const none = (): AccessPages => [];
    const pages = this.#all.map((engine) =>
      withTimeout(() => engine.access(runId, after).catch(none), {
        ms: ACCESS_MS,
        onTimeout: none,
      }),
    );
    return (await Promise.all(pages)).flat();
  }

  /** Resolves once no engine has requests for the job: those of a worker that ends have ended with it. */
  async leave(jobId: string): Promise<void> {
    await Promise.all(this.#all.map((engine) => engine.leave(jobId).catch(() => {})));
  }

  /** Another process takes over: workers end when others have taken their sockets. */
  leaveWorkers(): void {
    this.#workers?.leave();
  }

  killWorkers(): void {
    this.#workers?.kill();
  }

  get #all(): RequestEngine[] {
    return [...(this.#workers?.all ?? []), this.#options.plain];
  }

  /** The messages that a new worker receives before it listens. */
  #initial(): [string, unknown][] {
    const { plain, supply, callers, tunnelKey, isOnline } = this.#options;
    const { services = [], hosts = {}, models = {} } = supply.services ?? {};
    const known: Known = { routes: pushedRoutes(services), grants: [], kept: callers.all };
    const { generation } = plain;
    const state: Partial<GatewayState> = {
      ...{ ...supply.limits, hosts, models, generation, online: isOnline() },
      tunnelKey,
    };
    return [
      ['known', known],
      ['state', state],
    ];
  }
}
