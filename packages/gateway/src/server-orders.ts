import type { GatewayCommand, GatewayFrame } from '@dstack/contract/agent';
import type { Known, PlainEngine } from '@dstack/proxy';
import type { AdmittedCallers } from './admitted-callers.ts';
import type { Certificates } from './certificates/certificates.ts';
import type { DnsRecords } from './certificates/dns-records.ts';
import type { Figures } from './figures.ts';
import type { FrontUpkeep } from './front-upkeep.ts';
import type { OwnLogs } from './own-logs.ts';
import type { RequestEngines } from './request-engines.ts';
import type { ServerQuestions } from './server-questions.ts';
import type { Spools } from './spools.ts';
import type { StatusReport } from './status-report.ts';
import type { Supply } from './supply.ts';
import type { WantedTunnels } from './wanted-tunnels.ts';

type OrderOf<T extends GatewayCommand['type']> = Extract<GatewayCommand, { type: T }>;

export interface ServerOrdersOptions {
  readonly supply: Supply;
  readonly upkeep: Pick<FrontUpkeep, 'applyInTurn' | 'setCertificates'>;
  readonly engines: Pick<
    RequestEngines,
    'notify' | 'sendState' | 'renewGeneration' | 'access' | 'leave'
  >;
  readonly plain: Pick<PlainEngine, 'setHosts' | 'changed'>;
  readonly status: Pick<StatusReport, 'report'>;
  readonly spools: Pick<Spools, 'counts' | 'uses'>;
  readonly figures: Pick<Figures, 'keepOnly'>;
  readonly callers: Pick<AdmittedCallers, 'changed'>;
  readonly questions: Pick<ServerQuestions, 'answered'>;
  readonly records: Pick<DnsRecords, 'answered'>;
  readonly tunnels: Pick<WantedTunnels, 'refused'>;
  readonly logs: Pick<OwnLogs, 'read'>;
  readonly certificates: Pick<Certificates, 'retry'>;
  /** To the server. */
  readonly send: (frame: GatewayFrame) => boolean;
}

/** Carries out what the server orders, and passes on what it answers. */
export class ServerOrders {
  readonly #options: ServerOrdersOptions;

  constructor(options: ServerOrdersOptions) {
    this.#options = options;
  }

  obey(order: GatewayCommand): void {
    const { engines, spools, questions, records, tunnels, logs, certificates } = this.#options;
    const { send } = this.#options;
    switch (order.type) {
      case 'settings':
        this.#onSettings(order);
        return;
      case 'services':
        this.#onServices(order);
        return;
      case 'service':
        this.#onService(order);
        return;
      case 'counted':
        spools.counts.used(order.n);
        return;
      case 'used':
        spools.uses.used(order.n);
        return;
      case 'admitted':
      case 'token':
      case 'because':
      case 'taken':
        questions.answered(order);
        return;
      case 'dns-done':
        records.answered(order.n, order.error);
        return;
      case 'no-tunnel':
        tunnels.refused(order);
        return;
      case 'read-log':
        send({ type: 'log', n: order.n, ...logs.read(order) });
        return;
      case 'renew':
        send({ type: 'renewing', n: order.n, domains: certificates.retry(order.domain) });
        return;
      case 'access':
        void engines.access(order).then((pages) => send({ type: 'accessed', n: order.n, pages }));
        return;
      case 'leave':
        void engines.leave(order.job_id).then(() => send({ type: 'idle', job_id: order.job_id }));
        return;
      case 'access-changed':
        this.#onAccessChanged();
    }
  }

  #onSettings(order: OrderOf<'settings'>): void {
    const { supply, engines, plain, upkeep } = this.#options;
    supply.setSettings(order);
    engines.sendState(supply.limits);
    plain.changed();
    void upkeep.applyInTurn();
  }

  #onServices(order: OrderOf<'services'>): void {
    const { supply, engines, plain } = this.#options;
    const { hosts, models } = order;
    const routes = supply.replaceServices(order);
    plain.setHosts(hosts);
    engines.sendState({ hosts, models });
    engines.notify('known', { routes, grants: [] } satisfies Known);
    this.#servicesChanged();
  }

  #onService(order: OrderOf<'service'>): void {
    const { supply, engines } = this.#options;
    const route = supply.putService(order);
    engines.sendState({ models: supply.services?.models ?? {} });
    engines.notify('route', route);
    this.#servicesChanged();
  }

  #servicesChanged(): void {
    const { supply, figures, upkeep, status, plain } = this.#options;
    figures.keepOnly(new Set(supply.services?.services.map(({ run_id }) => run_id)));
    upkeep.setCertificates();
    status.report();
    plain.changed();
  }

  /** The access of any caller may have changed. */
  #onAccessChanged(): void {
    const { callers, engines } = this.#options;
    callers.changed();
    engines.notify('changed', {});
    engines.renewGeneration();
  }
}
