import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { GatewayFrame } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { joinConnections } from '@dstack/ssh';
import type { ModelUse, Store } from '@dstack/store';
import type { Logger } from '../logging.ts';
import type { Admit } from '../proxy/callers.ts';
import type { Outages } from '../proxy/outages.ts';
import type { OwnTokens } from '../proxy/own-tokens.ts';
import { ProxyRefusal } from '../proxy/refusal.ts';
import type { OpenPort } from '../proxy/replica-connections.ts';
import { customNamesOf } from './custom-hosts.ts';
import type { SetDnsRecord } from './dns-hook.ts';
import type { GatewayLink } from './gateway-link.ts';
import { gatewayService } from './gateway-service.ts';

export interface GatewayAnswersOptions {
  readonly store: Pick<Store, 'services' | 'runs' | 'projects' | 'users' | 'modelUsage'>;
  readonly admit: Admit;
  readonly ownTokens: Pick<OwnTokens, 'among'>;
  readonly outages: Pick<Outages, 'noReplica'>;
  /** Opens a connection to a replica on any host. */
  readonly open: OpenPort;
  /** Sets DNS records; null = nothing does. */
  readonly setRecord: SetDnsRecord | null;
  readonly log: Logger;
}

const CHALLENGE = /^_acme-challenge\./;

const REFUSED = { user: null, services: null };

type Question = Exclude<GatewayFrame, { type: 'status' | 'idle' | 'figures' }>;

/** Answers the questions of gateways. */
export class GatewayAnswers {
  readonly #options: GatewayAnswersOptions;

  constructor(options: GatewayAnswersOptions) {
    this.#options = options;
  }

  async answer(link: GatewayLink, question: Question): Promise<void> {
    switch (question.type) {
      case 'admit':
        link.send({ type: 'admitted', n: question.n, ...(await this.#admit(question)) });
        return;
      case 'is-token': {
        const own = (await this.#options.ownTokens.among([question.text])).size > 0;
        link.send({ type: 'token', n: question.n, own });
        return;
      }
      case 'counts':
        await this.#count(link, question);
        link.send({ type: 'counted', n: question.n });
        return;
      case 'usage':
        await this.#addUsage(link, question);
        link.send({ type: 'used', n: question.n });
        return;
      case 'load':
        await this.#setLoad(link, question);
        return;
      case 'why':
        link.send({ type: 'because', n: question.n, ...(await this.#why(question.run_id)) });
        return;
      case 'dns':
        link.send({ type: 'dns-done', n: question.n, error: await this.#dns(link, question) });
        return;
      case 'tunnel':
        await this.#tunnel(link, question);
    }
  }

  async #admit({ project, method, authorization, address, limits }: Of<'admit'>) {
    const request = {
      ...{ method, headers: authorization === '' ? {} : { authorization }, rawHeaders: [] },
      socket: { remoteAddress: address },
      connection: { remoteAddress: address },
    } as unknown as IncomingMessage;
    try {
      const { name, services, release } = await this.#options.admit(project, request, () => {});
      release();
      if (services === null || limits === true) {
        return { user: name, services, status: 200, detail: '' };
      }
      const detail = 'This gateway is being updated: tokens for single services work after that';
      return { ...REFUSED, status: 503, detail };
    } catch (error) {
      if (!(error instanceof ProxyRefusal)) throw error;
      return { ...REFUSED, status: error.status, detail: error.message };
    }
  }

  async #count({ replica }: GatewayLink, { counts, waiting, batch }: Of<'counts'>): Promise<void> {
    await this.#options.store.services.addRequests(
      `gateway:${replica.id}`,
      counts.map(({ run_id, second, requests }) => ({ runId: run_id, second, requests })),
      { signals: waiting.map((id) => ({ kind: 'run' as const, id })) },
      batch === null ? null : { replicaId: replica.id, kind: 'counts', batch },
    );
  }

  /** Users and projects that were deleted meanwhile are left out. */
  async #addUsage({ replica }: GatewayLink, { uses, batch }: Of<'usage'>): Promise<void> {
    const { projects, users, modelUsage } = this.#options.store;
    const known = await Promise.all([
      projects.byNames([...new Set(uses.map(({ project }) => project))]),
      users.byNames([...new Set(uses.map(({ user }) => user))]),
    ]);
    const [projectIds, userIds] = known.map(
      (all) => new Map(all.map(({ name, id }) => [name, id])),
    );
    const stored = uses.flatMap((use): ModelUse[] => {
      const { project, user, model, day, requests, aborted, estimated } = use;
      const projectId = projectIds?.get(project);
      const userId = userIds?.get(user);
      if (projectId === undefined || userId === undefined) return [];
      const tokens = { promptTokens: use.prompt_tokens, completionTokens: use.completion_tokens };
      const counts = { requests, aborted, estimated, ...tokens };
      return [{ projectId, userId, tokenId: null, model, day, ...counts }];
    });
    const delivery = { replicaId: replica.id, kind: 'usage', batch: batch ?? '' } as const;
    await modelUsage.add(stored, batch === null ? null : delivery);
  }

  async #setLoad({ replica }: GatewayLink, { worker, slots }: Of<'load'>): Promise<void> {
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

  /** Null: the record is set. The host of a gateway may be another's, so only names of its services. */
  async #dns({ replica }: GatewayLink, { action, name, value }: Of<'dns'>): Promise<string | null> {
    const { store, setRecord, log } = this.#options;
    if (setRecord === null) return 'the server has no DSTACK_ACME_DNS_HOOK';
    const proven = name.replace(CHALLENGE, '');
    const views = await store.services.behindGateway(replica.gatewayId);
    const services = views.flatMap((view) => gatewayService(view) ?? []);
    const hosts = services.map(({ host }) => host);
    const own = customNamesOf(views.map(({ run }) => run));
    const domains = hosts.map((host) => host.slice(host.indexOf('.') + 1));
    const isOwn = [...hosts, ...own, ...domains, ...domains.map((one) => `gateway.${one}`)];
    if (!isOwn.includes(proven)) return `${proven} is no name of a service of this gateway`;
    try {
      await setRecord({ action, name, value });
      log.info({ action, name }, 'a DNS record of a certificate was changed');
      return null;
    } catch (error) {
      return errorMessage(error);
    }
  }

  async #tunnel(link: GatewayLink, { id, host_id, job_id, port }: Of<'tunnel'>): Promise<void> {
    const where = { jobId: job_id, hostId: host_id, port, runningAt: 0, isFailing: false };
    let replica: Duplex;
    try {
      replica = await this.#options.open(where);
    } catch (error) {
      link.send({ type: 'no-tunnel', id, error: errorMessage(error) });
      return;
    }
    replica.on('error', () => replica.destroy());
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

type Of<T extends GatewayFrame['type']> = Extract<GatewayFrame, { type: T }>;
