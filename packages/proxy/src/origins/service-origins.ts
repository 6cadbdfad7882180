import type { IncomingMessage } from 'node:http';
import { publicAddress, type Trust } from '../head/forwarded.ts';
import { originForm } from '../head/origin-form.ts';
import type { ServiceTarget } from '../routes/service-target.ts';
import { sessionSecrets } from './origin-cookies.ts';
import {
  type HostedRun,
  hostLabel,
  labelOf,
  type OriginPattern,
  originUrl,
} from './origin-pattern.ts';
import { mayUseSession } from './same-origin.ts';

export interface ServiceOriginsOptions {
  readonly pattern: OriginPattern;
  /** Public URL of the server, where people sign in. */
  readonly serverUrl: string;
  readonly trust: Trust;
  readonly services: HostedRuns;
}

/** Finds services by the beginning of their ids. */
export interface HostedRuns {
  byIdPrefix(
    prefix: string,
  ): Promise<
    readonly { readonly runId: string; readonly runName: string; readonly projectName: string }[]
  >;
}

/** A request to a host name of a service. */
export interface OriginRequest {
  readonly label: string;
  /** Path and query, as they were sent. */
  readonly url: string;
}

export interface OriginService extends HostedRun {
  readonly projectName: string;
}

/**
 * Where requests by host name are routed. Their URLs are rewritten before anything reads them, so that
 * no path of theirs is mistaken for one of the API.
 */
export const ORIGIN_PREFIX = '/proxy/hosts/';

/** Paths at the origin of a service that this server answers itself. */
const OWN_PATH = /^\/\.dstack(?=[/?]|$)/;

/** Ids never change, so names of services are kept for as long as there is room. */
const MAX_REMEMBERED = 10_000;

const LABEL = /^[a-z0-9-]{1,50}-([0-9a-f]{8})$/;

/** Recognises requests to the host names of services. */
export class ServiceOrigins {
  readonly pattern: OriginPattern;
  readonly serverUrl: string;
  readonly #trust: Trust;
  readonly #services: ServiceOriginsOptions['services'];
  readonly #taken = new WeakMap<IncomingMessage, OriginRequest>();
  readonly #known = new Map<string, OriginService>();
  readonly #asking = new Map<string, Promise<OriginService | null>>();

  constructor({ pattern, serverUrl, trust, services }: ServiceOriginsOptions) {
    this.pattern = pattern;
    this.serverUrl = serverUrl;
    this.#trust = trust;
    this.#services = services;
  }

  /** Without a slash at the end. */
  urlOf(run: HostedRun): string {
    return originUrl(this.pattern, run);
  }

  /**
   * Rewrites the URL of a request to a host name of a service, once. Must run before anything else reads
   * the URL.
   */
  take(request: IncomingMessage): OriginRequest | null {
    const known = this.#taken.get(request);
    if (known !== undefined) return known;
    const label = this.#labelOf(request);
    if (label === null) return null;
    const { url = '/' } = request;
    const path = originForm(url);
    const taken = { label, url: path };
    this.#taken.set(request, taken);
    request.url = `${ORIGIN_PREFIX}${encodeURIComponent(label)}${path}`;
    return taken;
  }

  /** Null: the request is not for a host name of a service. */
  of(request: IncomingMessage): OriginRequest | null {
    return this.#taken.get(request) ?? null;
  }

  /** Null: no service has the host name. */
  async find(label: string): Promise<OriginService | null> {
    const known = this.#known.get(label) ?? this.#asking.get(label);
    if (known !== undefined) return await known;
    const [, idPart] = LABEL.exec(label) ?? [];
    if (idPart === undefined) return null;
    const asking = this.#read(label, idPart).finally(() => this.#asking.delete(label));
    this.#asking.set(label, asking);
    return await asking;
  }

  /** Null: no service has the host name of the request. */
  async target(request: IncomingMessage): Promise<ServiceTarget | null> {
    const taken = this.of(request);
    const service = taken && (await this.find(taken.label));
    if (taken === null || service === null) return null;
    const { projectName: project, name: run, id: runId } = service;
    const secrets = mayUseSession(request, this.urlOf(service))
      ? sessionSecrets(request.headers.cookie, taken.label, this.pattern)
      : [];
    const session = secrets.length === 0 ? null : { secrets, runId };
    return { project, run, prefix: '', rest: taken.url, origin: { runId, session } };
  }

  /** Whether a host, as in a URL, is under the domain. */
  hasHost(host: string): boolean {
    return labelOf(this.pattern, host) !== null;
  }

  #labelOf({ rawHeaders, socket }: IncomingMessage): string | null {
    const sender = {
      address: socket.remoteAddress ?? '',
      isEncrypted: 'encrypted' in socket,
      trust: this.#trust,
    };
    return labelOf(this.pattern, publicAddress(rawHeaders, sender).host ?? '');
  }

  async #read(label: string, idPart: string): Promise<OriginService | null> {
    const found = await this.#services.byIdPrefix(idPart);
    const [service] = found
      .map(({ runId, runName, projectName }) => ({ id: runId, name: runName, projectName }))
      .filter((one) => hostLabel(one) === label);
    if (service === undefined) return null;
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    this.#known.set(label, service);
    return service;
  }
}

/** Whether the path is one that this server answers at the origin of a service. */
export const isOwnPath = (url: string): boolean => OWN_PATH.test(url);
