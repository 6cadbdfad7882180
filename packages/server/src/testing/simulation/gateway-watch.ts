/** Gateways whose programs lie. */
import type { GatewayPem } from '@dstack/contract/agent';
import type { GatewayReport, Id } from '@dstack/core';
import type { Store } from '@dstack/store';
import { Breach } from './breach.ts';
import type { RunWatch } from './run-watch.ts';
import type { SimGateway, SimGateways } from './sim-gateways.ts';

/** Effects that servers have outside of the database because of gateways. */
export interface GatewayEffects {
  opened(replica: { readonly jobId: Id; readonly hostId: string; readonly port: number }): void;
  recordSet(name: string): void;
  avoided(avoided: { readonly runId: Id; readonly jobId: Id }): void;
  /** A message was not obeyed. */
  refused(): void;
}

/** Usage that the programs have reported truly. */
export interface ReportedUse {
  readonly project: string;
  readonly user: string;
  readonly model: string;
  readonly requests: number;
  readonly promptTokens: number;
}

export interface GatewayWatchOptions {
  readonly gateways: SimGateways;
  readonly runs: RunWatch;
  readonly onBreach: (breach: Breach) => void;
}

/** Beyond any user: a list of usage of all days. */
const ALL_DAYS = 10_000_000;

/**
 * 24: messages of gateways change nothing that is not behind them, whatever they name; and what they report truly counts
 * once, however often they repeat it and whichever server dies.
 */
export class GatewayWatch implements GatewayEffects {
  readonly #options: GatewayWatchOptions;
  readonly #uses = new Map<string, { requests: number; promptTokens: number }>();
  /** By what a program has truly asked for: how often. */
  readonly #asked = new Map<string, number>();
  #refused = 0;

  constructor(options: GatewayWatchOptions) {
    this.#options = options;
  }

  /** How many messages were refused, which shows that there were lies. */
  get lies(): number {
    return this.#refused;
  }

  /** A program has asked truly for something. */
  asks(what: string): void {
    this.#asked.set(what, (this.#asked.get(what) ?? 0) + 1);
  }

  reports({ project, user, model, requests, promptTokens }: ReportedUse): void {
    const key = [project, user, model].join(' ');
    const known = this.#uses.get(key) ?? { requests: 0, promptTokens: 0 };
    const sum = {
      requests: known.requests + requests,
      promptTokens: known.promptTokens + promptTokens,
    };
    this.#uses.set(key, sum);
  }

  opened({ jobId, hostId, port }: Parameters<GatewayEffects['opened']>[0]): void {
    this.#mustBeAsked(`tunnel ${hostId} ${jobId} ${port}`);
  }

  recordSet(name: string): void {
    this.#mustBeAsked(`dns ${name}`);
  }

  avoided({ runId, jobId }: Parameters<GatewayEffects['avoided']>[0]): void {
    this.#mustBeAsked(`avoided ${runId} ${jobId}`);
  }

  refused(): void {
    this.#refused += 1;
  }

  /** The store, in which each write that a gateway has caused must be about its own. */
  watched(store: Store): Store {
    const { services, gateways } = store;
    const addRequests: typeof services.addRequests = async (owner, counts, extras, delivery) => {
      const gateway = this.#gatewayOf(owner);
      for (const { runId } of counts) this.#mustBeBehind(gateway, runId, 'requests to');
      for (const { id } of gateway ? (extras?.signals ?? []) : []) {
        this.#mustBeBehind(gateway, id, 'a wake-up of');
      }
      await services.addRequests(owner, counts, extras, delivery);
    };
    const setLoad: typeof services.setLoad = async (owner, slots) => {
      const gateway = this.#gatewayOf(owner);
      for (const { runId } of slots) this.#mustBeBehind(gateway, runId, 'load of');
      await services.setLoad(owner, slots);
    };
    const saveReport: typeof gateways.saveReport = async (report, gatewayId, eventsOf) => {
      this.#checkReport(report, gatewayId);
      await gateways.saveReport(report, gatewayId, eventsOf);
    };
    const saveIssued: typeof gateways.saveIssuedCertificates = async (gatewayId, issued) => {
      this.#checkIssued(issued, gatewayId);
      await gateways.saveIssuedCertificates(gatewayId, issued);
    };
    return {
      ...store,
      services: { ...services, addRequests, setLoad },
      gateways: { ...gateways, saveReport, saveIssuedCertificates: saveIssued },
    };
  }

  /** Everything was delivered: models were used as often as their gateways have reported truly. */
  async checkUsage(store: Store, projects: readonly { id: Id; name: string }[]): Promise<void> {
    const left = new Map(this.#uses);
    for (const { id, name } of projects) {
      for (const row of await store.modelUsage.list(id, 0, ALL_DAYS)) {
        const key = [name, row.userName, row.model].join(' ');
        const known = left.get(key) ?? { requests: 0, promptTokens: 0 };
        left.set(key, {
          requests: known.requests - row.requests,
          promptTokens: known.promptTokens - row.promptTokens,
        });
      }
    }
    for (const [key, { requests, promptTokens }] of left) {
      if (requests === 0 && promptTokens === 0) continue;
      throw new Breach(24, `${requests} requests (${promptTokens} tokens) of ${key} are missing`);
    }
  }

  #gatewayOf(owner: string): SimGateway | null {
    const [kind, replicaId = ''] = owner.split(':');
    return kind === 'gateway' ? this.#options.gateways.byReplica(replicaId) : null;
  }

  /** Null: no gateway. */
  #mustBeBehind(gateway: SimGateway | null, runId: Id, what: string): void {
    if (gateway === null) return;
    const run = this.#options.runs.of(runId)?.run;
    if (run?.gatewayId === gateway.id) return;
    this.#breach(
      `${gateway.name} has reported ${what} ${run?.name ?? runId}, which is not its own`,
    );
  }

  #checkReport({ certificates, replicaId }: GatewayReport, gatewayId: Id): void {
    const gateway = this.#options.gateways.byReplica(replicaId);
    if (gateway?.id !== gatewayId) this.#breach(`a report about ${replicaId} was stored elsewhere`);
    for (const { domain } of certificates) this.#mustBeNameOf(gateway, domain);
  }

  #checkIssued(issued: readonly GatewayPem[], gatewayId: Id): void {
    const gateway = this.#options.gateways.all.find(({ id }) => id === gatewayId) ?? null;
    for (const { domain } of issued) this.#mustBeNameOf(gateway, domain);
  }

  #mustBeNameOf(gateway: SimGateway | null, domain: string): void {
    if (gateway && domain.endsWith(gateway.domain)) return;
    this.#breach(`${gateway?.name} has a certificate for ${domain}`);
  }

  #mustBeAsked(what: string): void {
    const left = this.#asked.get(what) ?? 0;
    if (left > 0) this.#asked.set(what, left - 1);
    else this.#breach(`a server has done for a gateway what it may not have: ${what}`);
  }

  #breach(text: string): void {
    this.#options.onBreach(new Breach(24, text));
  }
}
