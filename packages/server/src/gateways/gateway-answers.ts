import type { Duplex } from 'node:stream';
import type { GatewayToken } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { type GatewayRecord, unprovenDomainEvent } from '@dstack/core';
import type {
  AdmissionAsk,
  GrantedCaller,
  ModelToken,
  OpenPort,
  Outages,
  OwnTokens,
} from '@dstack/proxy';
import { ProxyRefusal } from '@dstack/proxy';
import { joinConnections } from '@dstack/ssh/join-connections';
import type { Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';
import type { FrameOf, FrameType } from './bound-frames.ts';
import type { SetDnsRecord } from './dns-hook.ts';
import type { DomainProof } from './domain-proof.ts';
import type { GatewayLink } from './gateway-link.ts';
import { GatewayRates, type GatewayRatesOptions } from './gateway-rates.ts';
import type { GatewayReach } from './gateway-reach.ts';
import type { GatewaySignIns } from './gateway-sign-ins.ts';
import { ownUses } from './own-uses.ts';

export interface GatewayAnswersOptions {
  readonly store: Pick<
    Store,
    'services' | 'shared' | 'runs' | 'projects' | 'users' | 'modelUsage' | 'events' | 'meta'
  >;
  /** Microseconds. */
  readonly now: GatewayRatesOptions['now'];
  readonly ownTokens: Pick<OwnTokens, 'among'>;
  readonly outages: Pick<Outages, 'noReplica'>;
  /** Opens a connection to a replica on any host. */
  readonly open: OpenPort;
  /** Sets DNS records; null = nothing does. */
  readonly setRecord: SetDnsRecord | null;
  /** Whether the hook may set the record that proves this name; see `domainProof`. */
  readonly proofOf: (gateway: AskerGateway, name: string) => Promise<DomainProof>;
  readonly log: Logger;
}

/** Admits a caller whom a gateway asks about. Rejects with `ProxyRefusal`. */
export type AnswerAsk = (ask: AdmissionAsk) => Promise<GrantedCaller>;

export type AskerGateway = Pick<GatewayRecord, 'id' | 'name' | 'projectId'>;

/** One replica of a gateway. */
export interface GatewayAsker {
  readonly link: Pick<GatewayLink, 'replica' | 'send' | 'openTunnel'>;
  readonly reach: GatewayReach;
  /** Admits callers, whose addresses only the gateway reports. */
  readonly admit: AnswerAsk;
  readonly signIns: Pick<GatewaySignIns, 'isToken'>;
  readonly gateway: AskerGateway;
  readonly carried: Carried;
}

/** The work for one replica that is in progress, which the limits count, and the warnings it has had. */
export interface Carried {
  readonly tunnels: Set<Duplex>;
  opening: number;
  records: number;
  /** Names for which a warning was recorded. */
  readonly warned: Set<string>;
}

const CHALLENGE = /^_acme-challenge\./;

const REFUSED = { user: null, services: null };

/** Connections that the server carries for one replica. */
const MOST_TUNNELS = 20_000;
/** Records that are set for one replica at the same time; a program sets four. */
const MOST_RECORDS = 8;

type Question = FrameOf<
  Exclude<
    FrameType,
    'status' | 'idle' | 'avoided' | 'figures' | 'accessed' | 'log' | 'renewing' | 'issued'
  >
>;

/** Answers the questions of gateways, which are bound to what the gateway serves: see `boundFrame`. */
export class GatewayAnswers {
  readonly #options: GatewayAnswersOptions;
  readonly #rates: GatewayRates;
  /** The last delivery of each replica. */
  readonly #deliveries = new WeakMap<Carried, Promise<unknown>>();

  constructor(options: GatewayAnswersOptions) {
    this.#options = options;
    this.#rates = new GatewayRates(options);
  }

  /** Returns false if the question was about foreign things after all. */
  async answer(asker: GatewayAsker, question: Question): Promise<boolean> {
    const { link } = asker;
    switch (question.type) {
      case 'admit':
        link.send({ type: 'admitted', n: question.n, ...(await this.#admit(asker, question)) });
        return true;
      case 'is-token': {
        const { text, n } = question;
        const look = async () => (await this.#options.ownTokens.among([text])).size > 0;
        link.send({ type: 'token', n, own: await asker.signIns.isToken(text, look) });
        return true;
      }
      case 'counts':
        await this.#inTurn(asker, () => this.#count(link, question));
        link.send({ type: 'counted', n: question.n });
        return true;
      case 'usage': {
        const isOwn = await this.#inTurn(asker, () => this.#addUsage(asker, question));
        link.send({ type: 'used', n: question.n });
        return isOwn;
      }
      case 'load':
        await this.#setLoad(link, question);
        return true;
      case 'why':
        link.send({ type: 'because', n: question.n, ...(await this.#why(question.run_id)) });
        return true;
      case 'rate':
        link.send({
          ...{ type: 'taken', n: question.n },
          ...(await this.#rates.take(asker.gateway.id, question)),
        });
        return true;
      case 'dns':
        link.send({ type: 'dns-done', n: question.n, error: await this.#dns(asker, question) });
        return true;
      case 'tunnel':
        await this.#tunnel(asker, question);
        return true;
    }
  }

  /**
   * Only the last delivery is recorded, by which a repeated one is recognised: none may be stored after the one that
   * followed it.
   */
  async #inTurn<T>({ carried }: GatewayAsker, store: () => Promise<T>): Promise<T> {
    const before = this.#deliveries.get(carried) ?? Promise.resolve();
    const stored = before.then(store);
    this.#deliveries.set(
      carried,
      stored.catch(() => {}),
    );
    return await stored;
  }

  async #admit(
    { admit }: GatewayAsker,
    { project, method, authorization, address, limits, kind }: FrameOf<'admit'>,
  ) {
    const header = authorization === '' ? null : authorization;
    const ask = { key: '', kind: kind ?? 'service', session: null, authorization: header } as const;
    try {
      const caller = await admit({ ...ask, project, method, address });
      const { name, services, expiresAt, token } = caller;
      if (services === null || limits === true) {
        return {
          user: name,
          services,
          status: 200,
          detail: '',
          expires_at: expiresAt,
          token: token && sentToken(token),
        };
      }
      const detail = 'This gateway is being updated: tokens for single services work after that';
      return { ...REFUSED, status: 503, detail };
    } catch (error) {
      if (!(error instanceof ProxyRefusal)) throw error;
      return { ...REFUSED, status: error.status, detail: error.message };
    }
  }

  async #count(
    { replica }: GatewayAsker['link'],
    { counts, waiting, batch }: FrameOf<'counts'>,
  ): Promise<void> {
    await this.#options.store.services.addRequests(
      `gateway:${replica.id}`,
      counts.map(({ run_id, second, requests }) => ({ runId: run_id, second, requests })),
      { signals: waiting.map((id) => ({ kind: 'run' as const, id })) },
      batch === null ? null : { replicaId: replica.id, kind: 'counts', batch },
    );
  }

  /** Returns whether all of it is the gateway's own. */
  async #addUsage(
    { link: { replica }, reach }: GatewayAsker,
    { uses, batch }: FrameOf<'usage'>,
  ): Promise<boolean> {
    const { store } = this.#options;
    const own = await ownUses({ store, gatewayId: replica.gatewayId, reach }, uses);
    const delivery = { replicaId: replica.id, kind: 'usage', batch: batch ?? '' } as const;
    await store.modelUsage.add(own.uses, batch === null ? null : delivery);
    return !own.isForeign;
  }

  async #setLoad(
    { replica }: GatewayAsker['link'],
    { worker, slots }: FrameOf<'load'>,
  ): Promise<void> {
    await this.#options.store.services.setLoad(
      `gateway:${replica.id}:${worker}`,
      slots.map(({ run_id, slot, busy_ms, latencies }) => ({
        ...{ runId: run_id, slot, busyMs: busy_ms, latencies },
      })),
    );
  }

  async #why(runId: string) {
    const view = await this.#options.store.services.onGateway(runId);
    const { configuration } = view?.run.spec ?? {};
    if (!view || configuration?.type !== 'service') {
      return { status: 404, detail: 'The service does not exist', retry: 0 };
    }
    const name = { projectName: view.projectName, runName: view.run.name };
    const { status, message, retryAfter } = await this.#options.outages.noReplica(
      name,
      configuration.auth,
    );
    return { status, detail: message, retry: retryAfter ?? 0 };
  }

  /** Null: the record is set. */
  async #dns(
    { carried, gateway, reach }: GatewayAsker,
    { action, name, value }: FrameOf<'dns'>,
  ): Promise<string | null> {
    const { setRecord, log } = this.#options;
    if (setRecord === null) return 'the server has no DSTACK_ACME_DNS_HOOK';
    if (carried.records >= MOST_RECORDS) {
      return `the server already sets ${MOST_RECORDS} records for this gateway`;
    }
    carried.records += 1;
    try {
      const proven = name.replace(CHALLENGE, '');
      // Names of users were proven when their services got them.
      if (!reach.customNames.has(proven)) {
        const proof = await this.#options.proofOf(gateway, proven);
        if (proof.kind === 'unproven') return proof.text;
        if (proof.kind === 'earlier' && action === 'add')
          await this.#warn(gateway, carried, proven, proof.text);
      }
      await setRecord({ action, name, value });
      log.info({ action, name }, 'a DNS record of a certificate was changed');
      return null;
    } catch (error) {
      return errorMessage(error);
    } finally {
      carried.records -= 1;
    }
  }

  /** Certificates of gateways that were there before are renewed for one version. */
  async #warn(
    gateway: AskerGateway,
    { warned }: Carried,
    name: string,
    text: string,
  ): Promise<void> {
    if (warned.has(name)) return;
    warned.add(name);
    await this.#options.store.events.write([unprovenDomainEvent(gateway, name, text)]);
  }

  async #tunnel(
    { link, carried }: GatewayAsker,
    { id, host_id, job_id, port }: FrameOf<'tunnel'>,
  ): Promise<void> {
    const where = { jobId: job_id, hostId: host_id, port, runningAt: 0, isFailing: false };
    const { tunnels } = carried;
    let replica: Duplex;
    if (tunnels.size + carried.opening >= MOST_TUNNELS) {
      const error = `the server already carries ${MOST_TUNNELS} connections for this gateway`;
      link.send({ type: 'no-tunnel', id, error });
      return;
    }
    carried.opening += 1;
    try {
      replica = await this.#options.open(where);
    } catch (error) {
      link.send({ type: 'no-tunnel', id, error: errorMessage(error) });
      return;
    } finally {
      carried.opening -= 1;
    }
    replica.on('error', () => replica.destroy());
    tunnels.add(replica);
    replica.once('close', () => tunnels.delete(replica));
    try {
      const stream = await link.openTunnel(id);
      joinConnections(stream, replica);
      // Its host may have crashed while the other connection was opened: no event will follow.
      if (replica.destroyed) stream.destroy();
    } catch (error) {
      replica.destroy();
      link.send({ type: 'no-tunnel', id, error: errorMessage(error) });
    }
  }
}

function sentToken(token: ModelToken): GatewayToken {
  const { id, name, models, requestsPerMinute, hasBudget, usedUp } = token;
  return {
    ...{ id, name, models, requests_per_minute: requestsPerMinute, has_budget: hasBudget },
    used_up: usedUp && { text: usedUp.text, retry_after: usedUp.retryAfter },
  };
}
