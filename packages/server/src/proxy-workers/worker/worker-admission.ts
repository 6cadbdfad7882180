/** Admits callers by what the server has granted; only unknown callers wait for the server. */
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Admit } from '@dstack/proxy';
import type { ServiceSessionProof } from '@dstack/store';
import type { CallerAddress } from '../../http/caller-address.ts';
import { proofText } from '../../http/proxy/admission.ts';
import type { AdmitModelUser } from '../../http/proxy/models/model-admission.ts';
import type { AdmissionAsk, Granted, GrantedCaller } from '../protocol.ts';
import { isServerAway, type ServerLink } from './server-link.ts';

/** Milliseconds: the server reports changes at once, this catches what was lost. */
const FRESH_MS = 30_000;

/** Without a server a caller is admitted this long (ms) after the server has confirmed the access. */
export const MAX_AGE_MS = 600_000;

const MAX_REMEMBERED = 10_000;

/** Tokens and sessions are shorter; what strangers send may have the length of all headers. */
const MAX_PROOF = 512;

export interface WorkerAdmissionOptions {
  readonly link: ServerLink;
  readonly addressOf: CallerAddress;
  /** Milliseconds. */
  readonly now: () => number;
}

interface Asked {
  readonly method: string;
  readonly request: IncomingMessage;
  readonly session: ServiceSessionProof | null;
}

export class WorkerAdmission {
  readonly #options: WorkerAdmissionOptions;
  readonly #grants = new Map<string, Grant>();
  /** By the text that they are the digest of: callers repeat themselves. */
  readonly #keys = new Map<string, string>();
  readonly #asking = new Map<string, Promise<Grant>>();

  constructor(options: WorkerAdmissionOptions) {
    this.#options = options;
    options.link.onPresent(() => this.#askAgain());
  }

  readonly admit: Admit = async (project, request, onRevoked, session = null) => {
    const method = request.method ?? 'GET';
    const ask = this.#askOf('service', project, { method, request, session });
    const grant = this.#fresh(ask) ?? (await this.#asked(ask));
    const { name, services, userId, projectId } = grant.caller;
    return { name, services, account: { userId, projectId }, release: grant.hold(onRevoked) };
  };

  readonly admitModelUser: AdmitModelUser = async (call, onRevoked) => {
    const { endpoint, request } = call;
    const kind = endpoint.method === 'GET' ? 'models' : 'model';
    const ask = this.#askOf(kind, call.project, {
      method: endpoint.method,
      request,
      session: null,
    });
    const grant = this.#fresh(ask) ?? (await this.#asked(ask));
    const { name, userId, projectId, projectName, expiresAt, token } = grant.caller;
    const project = { id: projectId, name: projectName };
    return {
      caller: { name, userId, projectId, expiresAt, project, token },
      release: grant.hold(onRevoked),
    };
  };

  /** The server has admitted a caller. */
  put({ ask, caller }: Granted): Grant {
    const now = this.#options.now();
    const known = this.#grants.get(ask.key);
    if (known) {
      known.confirm(caller, now);
      return known;
    }
    if (this.#grants.size >= MAX_REMEMBERED) this.#dropIdle();
    const grant = new Grant(ask, caller, now);
    this.#grants.set(ask.key, grant);
    return grant;
  }

  /** The questions to the server about the callers that are remembered. */
  get asks(): AdmissionAsk[] {
    return [...this.#grants.values()].map(({ ask }) => ask);
  }

  /** The access may have changed: the next request asks again. */
  stale(key: string): void {
    this.#grants.get(key)?.expire();
  }

  revoke(key: string): void {
    const grant = this.#grants.get(key);
    this.#grants.delete(key);
    grant?.revoke();
  }

  /** Forgets callers without recent requests. */
  sweep(): void {
    const now = this.#options.now();
    for (const [key, grant] of this.#grants) {
      if (!grant.isOpen && now - grant.usedAt > MAX_AGE_MS) this.#forget(key);
    }
  }

  #fresh({ key }: AdmissionAsk): Grant | null {
    const known = this.#grants.get(key);
    const now = this.#options.now();
    return known?.isFresh(now) ? known.used(now) : null;
  }

  /** The answer of the server; without a server, the last one if that is not too old. */
  async #asked(ask: AdmissionAsk): Promise<Grant> {
    const { link, now } = this.#options;
    const known = this.#grants.get(ask.key);
    if (!link.isPresent && known?.isUsable(now())) return known.used(now());
    const asking = this.#asking.get(ask.key) ?? this.#ask(ask);
    this.#asking.set(ask.key, asking);
    try {
      return (await asking).used(now());
    } catch (error) {
      if (isServerAway(error) && known?.isUsable(now())) return known.used(now());
      throw error;
    } finally {
      this.#asking.delete(ask.key);
    }
  }

  async #ask(ask: AdmissionAsk): Promise<Grant> {
    try {
      const caller = await this.#options.link.request<GrantedCaller>('admit', ask);
      return this.put({ ask, caller });
    } catch (error) {
      if (!isServerAway(error)) this.revoke(ask.key);
      throw error;
    }
  }

  /** A new server does not know which callers this worker has admitted. */
  #askAgain(): void {
    for (const grant of this.#grants.values()) {
      grant.expire();
      // A refusal cuts off what is open.
      if (grant.isOpen) void this.#ask(grant.ask).catch(() => {});
    }
  }

  #dropIdle(): void {
    for (const [key, grant] of this.#grants) if (!grant.isOpen) this.#forget(key);
  }

  #forget(key: string): void {
    this.#grants.delete(key);
    this.#options.link.notify('release', { key });
  }

  #key(text: string): string {
    const known = this.#keys.get(text);
    if (known !== undefined) return known;
    const key = hash('sha256', text, 'base64');
    if (text.length > MAX_PROOF) return key;
    if (this.#keys.size >= MAX_REMEMBERED) this.#keys.clear();
    this.#keys.set(text, key);
    return key;
  }

  #askOf(
    kind: AdmissionAsk['kind'],
    project: string,
    { method, request, session }: Asked,
  ): AdmissionAsk {
    const authorization = session === null ? (request.headers.authorization ?? null) : null;
    const proof = proofText(authorization, session);
    const key = this.#key(`${kind}\n${project}\n${method}\n${proof}`);
    const address = this.#options.addressOf(request);
    return { key, kind, project, method, authorization, session, address };
  }
}

/** An admitted caller, and the open requests of theirs. */
class Grant {
  readonly ask: AdmissionAsk;
  #caller: GrantedCaller;
  readonly #open = new Set<() => void>();
  #confirmedAt: number;
  #isFresh = true;
  usedAt: number;

  constructor(ask: AdmissionAsk, caller: GrantedCaller, now: number) {
    this.ask = ask;
    this.#caller = caller;
    this.#confirmedAt = now;
    this.usedAt = now;
  }

  get caller(): GrantedCaller {
    return this.#caller;
  }

  get isOpen(): boolean {
    return this.#open.size > 0;
  }

  isFresh(now: number): boolean {
    return this.#isFresh && now - this.#confirmedAt < FRESH_MS && !this.#isExpired(now);
  }

  isUsable(now: number): boolean {
    return now - this.#confirmedAt < MAX_AGE_MS && !this.#isExpired(now);
  }

  confirm(caller: GrantedCaller, now: number): void {
    this.#caller = caller;
    this.#confirmedAt = now;
    this.#isFresh = true;
  }

  expire(): void {
    this.#isFresh = false;
  }

  used(now: number): this {
    this.usedAt = now;
    return this;
  }

  hold(onRevoked: () => void): () => void {
    // A separate function for each call: two requests may pass the same `onRevoked`.
    const request = () => onRevoked();
    this.#open.add(request);
    return () => this.#open.delete(request);
  }

  revoke(): void {
    const open = [...this.#open];
    this.#open.clear();
    for (const onRevoked of open) onRevoked();
  }

  #isExpired(now: number): boolean {
    const { expiresAt } = this.#caller;
    return expiresAt !== null && now * 1000 >= expiresAt;
  }
}
