/** Admits callers by what the server has granted; only unknown callers wait for the server. */
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type AskedServer, isServerAway } from '../link/server-link.ts';
import { ProxyRefusal } from '../refusals/refusal.ts';
import type { OriginSession } from '../values.ts';
import type { Admit } from './callers.ts';
import { Grant } from './grant.ts';
import {
  type AdmissionAsk,
  type Granted,
  type GrantedCaller,
  type KeptGrant,
  proofText,
} from './grants.ts';

const MAX_REMEMBERED = 10_000;

/** Tokens and sessions are shorter; what strangers send may have the length of all headers. */
const MAX_PROOF = 512;

/** A caller without requests for so long (ms) is forgotten, unless they are admitted longer without a server. */
const IDLE_MS = 600_000;

/** A caller with open requests is asked about again this long (ms) after an answer: the clocks may differ. */
const DOUBTFUL_MS = 10_000;

/** Answers that were outdated when they arrived: then the last one counts until the next request. */
const MOST_OUTDATED = 3;

/** Callers that are asked about at the same time after a change that may concern any of them. */
const ASKED_AT_ONCE = 16;

export interface WorkerAdmissionOptions {
  readonly link: AskedServer;
  readonly addressOf: (request: IncomingMessage) => string;
  /** Without a server a caller is admitted so long (ms) after the server has confirmed the access. */
  readonly maxAgeMs: () => number;
  /** The refusal of unknown callers while the server is away; by default that of the link. */
  readonly unknown?: () => ProxyRefusal;
  /** Milliseconds. */
  readonly now: () => number;
}

interface Asked {
  readonly method: string;
  readonly request: IncomingMessage;
  readonly session: OriginSession | null;
}

interface Asking {
  readonly grant: Promise<Grant>;
  /** The access has changed since the question. */
  isOutdated: boolean;
}

/** An admitted caller of models. `onRevoked` is called until `release`. */
export interface ModelAdmission {
  readonly caller: GrantedCaller;
  readonly release: () => void;
}

export class WorkerAdmission {
  readonly #options: WorkerAdmissionOptions;
  readonly #grants = new Map<string, Grant>();
  /** By the text that they are the digest of: callers repeat themselves. */
  readonly #keys = new Map<string, string>();
  readonly #asking = new Map<string, Asking>();
  /** Callers to be asked about again, by key. */
  #due: Map<string, AdmissionAsk> = new Map();
  #renewing = 0;
  #sweptAt = 0;

  constructor(options: WorkerAdmissionOptions) {
    this.#options = options;
    options.link.onPresent(() => this.#reconnected());
  }

  readonly admit: Admit = async (project, request, onRevoked, session = null) => {
    const method = request.method ?? 'GET';
    const ask = this.#askOf('service', project, { method, request, session });
    const grant = this.#fresh(ask) ?? (await this.#asked(ask));
    const { name, services, expiresAt, userId, projectId } = grant.caller;
    const account = { userId, projectId };
    return { name, services, expiresAt, account, release: grant.hold(ask, onRevoked) };
  };

  /** A caller of models of the project: of their list with `GET`. Rejects with `ProxyRefusal`. */
  async admitModelUser(
    project: string,
    method: string,
    request: IncomingMessage,
    onRevoked: () => void,
  ): Promise<ModelAdmission> {
    const kind = method === 'GET' ? 'models' : 'model';
    const ask = this.#askOf(kind, project, { method, request, session: null });
    const grant = this.#fresh(ask) ?? (await this.#asked(ask));
    return { caller: grant.caller, release: grant.hold(ask, onRevoked) };
  }

  /** The server has admitted a caller. */
  put({ ask, caller }: Granted): void {
    this.#put(ask.key, caller).isFor(ask);
  }

  /** Callers whom the server has admitted to another process: they count while the server is away. */
  restore(kept: readonly KeptGrant[]): void {
    const now = this.#options.now();
    for (const { key, caller, confirmedAt } of kept) {
      if (this.#grants.has(key)) continue;
      const grant = new Grant(caller, Math.min(confirmedAt, now), now);
      grant.expire();
      this.#remember(key, grant);
    }
  }

  /** The questions to the server about the callers that are remembered. */
  get asks(): AdmissionAsk[] {
    return [...this.#grants.values()].flatMap(({ ask }) => ask ?? []);
  }

  /** The access may have changed: the next request asks again. */
  stale(key: string): void {
    this.#outdate(key);
    const grant = this.#grants.get(key);
    grant?.expire();
    // Nothing is kept for times without a server.
    if (grant?.isOpen === false && this.#options.maxAgeMs() === 0) this.#forget(key);
  }

  /** Has the remaining budgets of these tokens requested again. */
  tokensUsed(ids: ReadonlySet<string>): void {
    for (const [key, { caller }] of this.#grants) {
      if (caller.token?.hasBudget && ids.has(caller.token.id)) this.stale(key);
    }
  }

  revoke(key: string): void {
    this.#outdate(key);
    const grant = this.#grants.get(key);
    this.#grants.delete(key);
    grant?.revoke();
  }

  /** The access of any caller may have changed: all are asked about, those with open requests first. */
  changed(): void {
    const known = [...this.#grants.values()];
    for (const [key, grant] of this.#grants) {
      this.#outdate(key);
      grant.expire();
      // An earlier process may have asked, whose question is not known.
      if (grant.ask === null) this.#grants.delete(key);
    }
    const open = known.filter((one) => one.isOpen);
    const idle = known.filter((one) => !one.isOpen);
    this.#renew([...open, ...idle].flatMap(({ ask }) => ask ?? []));
  }

  /**
   * Where the server does not watch the callers: called once a second, it cuts off open requests whose token has ended,
   * or about which the server could not answer after a change.
   */
  askAboutOpen(): void {
    if (this.#options.link.isAway) return;
    const now = this.#options.now();
    const over = [...this.#grants.values()].filter(
      (one) => one.isOpen && one.isDoubtful(now) && one.age(now) >= DOUBTFUL_MS,
    );
    this.#renew(over.flatMap(({ ask }) => ask ?? []));
  }

  #put(key: string, caller: GrantedCaller): Grant {
    const now = this.#options.now();
    const known = this.#grants.get(key);
    known?.confirm(caller, now);
    return known ?? this.#remember(key, new Grant(caller, now, now));
  }

  #remember(key: string, grant: Grant): Grant {
    const now = this.#options.now();
    const isDue = Math.abs(now - this.#sweptAt) > IDLE_MS / 10;
    if (isDue) this.#forgetIdle(now - Math.max(IDLE_MS, this.#options.maxAgeMs()));
    if (this.#grants.size >= MAX_REMEMBERED) this.#forgetIdle(Number.POSITIVE_INFINITY);
    this.#grants.set(key, grant);
    return grant;
  }

  /** Callers without requests since then, in milliseconds. */
  #forgetIdle(since: number): void {
    this.#sweptAt = this.#options.now();
    for (const [key, grant] of this.#grants) {
      if (!grant.isOpen && grant.usedAt <= since) this.#forget(key);
    }
  }

  #forget(key: string): void {
    this.#grants.delete(key);
    this.#options.link.notify('release', { key });
  }

  #outdate(key: string): void {
    const asking = this.#asking.get(key);
    if (asking) asking.isOutdated = true;
  }

  #fresh({ key }: AdmissionAsk): Grant | null {
    const known = this.#grants.get(key);
    const now = this.#options.now();
    return known?.isFresh(now) ? known.used(now) : null;
  }

  /** The answer of the server; without a server, the last one if that is not too old. */
  async #asked(ask: AdmissionAsk): Promise<Grant> {
    const { link, now, unknown } = this.#options;
    // Found again after an answer: that may have been a refusal.
    const usable = () => {
      const known = this.#grants.get(ask.key);
      return known?.isUsable(now(), this.#options.maxAgeMs()) ? known.used(now()) : null;
    };
    const known = link.isAway ? usable() : null;
    if (known !== null) return known;
    try {
      return (await this.#ask(ask)).used(now());
    } catch (error) {
      const last = isVerdict(error) ? null : usable();
      if (last !== null) return last;
      throw isServerAway(error) && unknown ? unknown() : error;
    }
  }

  /** One question at a time about one caller. */
  #ask(ask: AdmissionAsk): Promise<Grant> {
    const open = this.#asking.get(ask.key);
    if (open) return open.grant;
    // It is known before it is asked: a change may come before the answer does.
    const answer = Promise.resolve().then(() => this.#answer(ask, asking));
    const asking: Asking = { isOutdated: false, grant: answer };
    this.#asking.set(ask.key, asking);
    return asking.grant;
  }

  async #answer(ask: AdmissionAsk, asking: Asking): Promise<Grant> {
    try {
      for (let outdated = 0; ; outdated += 1) {
        const caller = await this.#options.link.ask<GrantedCaller>('admit', ask);
        if (asking.isOutdated && outdated < MOST_OUTDATED) {
          asking.isOutdated = false;
          continue;
        }
        const grant = this.#put(ask.key, caller).isFor(ask);
        if (asking.isOutdated) grant.expire();
        return grant;
      }
    } catch (error) {
      if (isVerdict(error)) this.revoke(ask.key);
      throw error;
    } finally {
      this.#asking.delete(ask.key);
    }
  }

  /** A new server does not know which callers this process has admitted, and they may have changed meanwhile. */
  #reconnected(): void {
    for (const grant of this.#grants.values()) grant.expire();
    // A refusal cuts off what is open.
    this.#renew([...this.#grants.values()].flatMap((one) => (one.isOpen && one.ask) || []));
  }

  /**
   * Asks again, about these first. A change that comes meanwhile begins anew, so that many changes cost no more than
   * the server can answer.
   */
  #renew(asks: readonly AdmissionAsk[]): void {
    const added = asks.map((ask) => [ask.key, ask] as const);
    this.#due = new Map([...added, ...this.#due]);
    while (this.#renewing < ASKED_AT_ONCE && this.#due.size > 0) void this.#renewDue();
  }

  async #renewDue(): Promise<void> {
    this.#renewing += 1;
    for (let next = this.#nextDue(); next !== null; next = this.#nextDue()) {
      await this.#ask(next).catch(() => {});
    }
    this.#renewing -= 1;
  }

  #nextDue(): AdmissionAsk | null {
    const now = this.#options.now();
    for (const [key, ask] of this.#due) {
      this.#due.delete(key);
      // Others were confirmed, refused or forgotten meanwhile.
      if (this.#grants.get(key)?.isFresh(now) === false) return ask;
    }
    return null;
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

/** Whether the server has refused the caller, instead of being unable to answer. */
export function isVerdict(error: unknown): boolean {
  return error instanceof ProxyRefusal && error.status < 500 && error.status !== 429;
}
