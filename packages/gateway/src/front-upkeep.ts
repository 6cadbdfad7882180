import { setTimeout as delay } from 'node:timers/promises';
import type { GatewaySettings } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { NginxRefusal, type PlainEngine, type ProxyLog } from '@dstack/proxy';
import { accountProof } from './certificates/account-proof.ts';
import { acmeSocket, type Certificates } from './certificates/certificates.ts';
import { namesToSecure } from './certificates/names-to-secure.ts';
import type { Nginx } from './nginx/nginx.ts';
import type { RequestEngines } from './request-engines.ts';
import type { StatusReport } from './status-report.ts';
import type { Supply } from './supply.ts';

export interface FrontUpkeepOptions {
  readonly runtime: string;
  readonly supply: Pick<Supply, 'settings' | 'services'>;
  readonly nginx: Pick<Nginx, 'ensure' | 'isRunning'>;
  readonly plain: Pick<PlainEngine, 'isOn'>;
  readonly engines: Pick<RequestEngines, 'ensureWorkers' | 'sockets'>;
  readonly certificates: Pick<Certificates, 'set'>;
  readonly status: Pick<StatusReport, 'isReady' | 'setStatus' | 'setNotPlain' | 'report'>;
  readonly log: ProxyLog;
}

/** A refusal may pass by itself: the holder of a port ends. */
const TRY_AGAIN_MS = 5000;

/** Keeps nginx, the workers behind it and its certificates as the settings require. */
export class FrontUpkeep {
  readonly #options: FrontUpkeepOptions;
  #applying: Promise<void> = Promise.resolve();

  constructor(options: FrontUpkeepOptions) {
    this.#options = options;
  }

  /** Resolves when no settings are being applied. */
  get idle(): Promise<void> {
    return this.#applying;
  }

  /** Applies the settings unless all of it runs. After a failure it resolves late: call it again at once. */
  async look(): Promise<void> {
    const { supply, nginx, status } = this.#options;
    if (supply.settings === null) return;
    if (status.isReady && nginx.isRunning()) return;
    await this.applyInTurn();
    if (!status.isReady) await delay(TRY_AGAIN_MS);
  }

  applyInTurn(): Promise<void> {
    this.#applying = this.#applying.then(() => this.apply());
    return this.#applying;
  }

  /** Never rejects: the failure is reported to the server. */
  async apply(): Promise<void> {
    const { supply, engines, nginx, plain, status, log } = this.#options;
    if (supply.settings === null) return;
    const { settings } = supply.settings;
    try {
      this.setCertificates();
      await engines.ensureWorkers();
      const isPlain = settings.proxy === 'nginx';
      const wanted = this.#nginxOf(settings);
      const { notPlain } = await nginx.ensure(wanted, { install: settings.install });
      status.setNotPlain(notPlain);
      plain.isOn = isPlain && notPlain === null;
      status.setStatus({ state: 'ready', text: null });
    } catch (error) {
      const state = error instanceof NginxRefusal ? 'refused' : 'waiting';
      status.setStatus({ state, text: errorMessage(error) });
      log.warn({ err: error }, 'the gateway is not ready');
    }
    status.report();
  }

  /** The names of services may have changed. */
  setCertificates(): void {
    const { supply } = this.#options;
    if (supply.settings === null) return;
    const { settings, certificates, issued } = supply.settings;
    const { names, own } = namesToSecure(supply.services, settings.tls);
    const others = { files: certificates, offered: issued ?? [], own };
    this.#options.certificates.set(names, settings, others);
  }

  #nginxOf(settings: GatewaySettings): Parameters<Nginx['ensure']>[0] {
    const { acme } = settings;
    const answersAcme = settings.tls && acme?.challenge === 'tls-alpn-01';
    return {
      httpPort: settings.http_port,
      httpsPort: settings.tls ? settings.https_port : null,
      maxBody: settings.max_body,
      hsts: settings.hsts ?? 0,
      plainTimeoutMs: settings.proxy === 'nginx' ? settings.timeout_ms : null,
      workers: this.#options.engines.sockets,
      acmeProof: acme?.account_key ? accountProof(acme.account_key) : null,
      acmeSocket: answersAcme ? acmeSocket(this.#options.runtime) : null,
    };
  }
}
