import { createHash, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { CertificateState, GatewayPem, GatewaySettings } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import type { ProxyLog } from '@dstack/proxy';
import { dnsProblem } from '@dstack/proxy';
import type { IssuedCertificate, requestCertificate } from './acme.ts';
import { CertificateFiles, type CertificateFilesOptions } from './certificate-files.ts';
import {
  type Challenges,
  dnsChallenges,
  fileChallenges,
  type SetRecord,
  tlsChallenges,
} from './challenges.ts';
import { TlsChallenges } from './tls-challenges.ts';

export interface CertificatesOptions extends CertificateFilesOptions {
  readonly setRecord: SetRecord;
  /** The states have changed. */
  readonly onChange: () => void;
  /** Another certificate was issued. */
  readonly onIssued: () => void;
  readonly log: ProxyLog;
  /** Requests a certificate; by default from an authority. */
  readonly request?: typeof requestCertificate;
}

/** After this part of its life a certificate is renewed. */
const RENEWAL = 2 / 3;
/** Gateways that were created together do not renew together: up to this part earlier. */
const JITTER = 0.1;
/** A certificate with less than this part of its life should have been renewed long ago. */
const END = 1 / 5;
/** For those that are valid for a year. */
const LONGEST_END_MS = 21 * 86_400_000;
const LOOK_MS = 5000;
/** The most requests at the same time. */
const AT_ONCE = 4;
/** The most of these that repeat a failed request, which may fail again as slowly. */
const REPEATS_AT_ONCE = 2;
const DNS_WAIT_S = 120;
/** Within this time a replica that is to request a certificate first usually has it. */
const TURN_MS = 180_000;

/** Milliseconds until the first repetition, and at most. */
interface Patience {
  readonly first: number;
  readonly longest: number;
}

/** Authorities limit the requests for a name. */
const AUTHORITY: Patience = { first: 30_000, longest: 3_600_000 };
/** A question to DNS costs nothing, and its answer changes while a person creates the record. */
const DNS: Patience = { first: 5000, longest: 60_000 };

const SET_ONE = 'set one by `dstack gateway certificate set`';

/** DNS does not lead to the gateway, so nothing was requested. */
class WrongAddress extends Error {}

interface Failure {
  readonly patience: Patience;
  readonly message: string;
  readonly count: number;
  readonly retryAt: number;
}

/** Certificates of the names that the gateway serves: issued, renewed, or set by a person. */
export class Certificates {
  readonly #options: CertificatesOptions;
  readonly #failures = new Map<string, Failure>();
  /** Names that no replica has requested yet, and since when they are due. */
  readonly #dueSince = new Map<string, number>();
  readonly #tls: TlsChallenges;
  readonly #stored: CertificateFiles;
  #names: readonly string[] = [];
  #settings: GatewaySettings | null = null;
  #files: readonly GatewayPem[] = [];
  #offered: readonly GatewayPem[] = [];
  #own: ReadonlySet<string> = new Set();
  /** Names that are being requested. */
  readonly #requests = new Set<string>();

  constructor(options: CertificatesOptions) {
    this.#options = options;
    const { runtime, group, log } = options;
    this.#tls = new TlsChallenges({ path: acmeSocket(runtime), group, log });
    this.#stored = new CertificateFiles(options);
    setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /**
   * Sets the names that are served from now on. `offered`: certificates that other replicas have. `own`:
   * names of users, whose domains do not belong to the gateway.
   */
  set(
    names: readonly string[],
    settings: GatewaySettings,
    given: {
      readonly files: readonly GatewayPem[];
      readonly offered: readonly GatewayPem[];
      readonly own: ReadonlySet<string>;
    },
  ): void {
    const acme = JSON.stringify(settings.acme);
    if (JSON.stringify(this.#settings?.acme ?? null) !== acme) this.#failures.clear();
    this.#names = [...new Set(names)].sort();
    this.#settings = settings;
    this.#files = given.files;
    this.#offered = given.offered;
    this.#own = given.own;
    const wanted = this.#names.map((name) => this.#requestedFor(name));
    for (const known of [this.#failures, this.#dueSince]) {
      for (const name of known.keys()) if (!wanted.includes(name)) known.delete(name);
    }
    this.#adopt();
    this.#serve();
    this.#look();
  }

  /**
   * Requests what has failed again at once, and returns the names of these certificates. `name`: of a host
   * or of a certificate; null = all.
   */
  retry(name: string | null): string[] {
    const wanted = name === null || this.#failures.has(name) ? name : this.#requestedFor(name);
    const names = [...this.#failures.keys()].filter((one) => wanted === null || one === wanted);
    for (const one of names) {
      const failure = this.#failures.get(one);
      if (failure) this.#failures.set(one, { ...failure, count: 0, retryAt: 0 });
    }
    this.#look();
    return names;
  }

  /** For the other replicas, under the names that they were requested for. */
  get issued(): GatewayPem[] {
    const names = [...new Set(this.#names.map((name) => this.#requestedFor(name)))];
    return names.flatMap((domain) => {
      const pem = this.#issued(domain);
      return pem === null ? [] : [{ domain, ...pem }];
    });
  }

  /** Uses what another replica has, if it is valid for longer. */
  #adopt(): void {
    if (this.#settings?.acme == null) return;
    for (const name of new Set(this.#names.map((one) => this.#requestedFor(one)))) {
      const offered = this.#offered.find(({ domain }) => domain === name);
      const until = offered && (validityOf(offered.certificate)?.until ?? 0);
      const own = this.#issued(name);
      if (!offered || !until || until <= (own ? (validityOf(own.certificate)?.until ?? 0) : 0))
        continue;
      this.#stored.store(name, offered);
      this.#settle(name);
    }
  }

  #settle(name: string): void {
    this.#failures.delete(name);
    this.#dueSince.delete(name);
  }

  get states(): CertificateState[] {
    return this.#names.map((name) => this.#stateOf(name));
  }

  #stateOf(domain: string): CertificateState {
    const file = this.#fileFor(domain);
    const pem = file ?? this.#requested(domain);
    const source = file ? 'file' : 'acme';
    const failure = this.#failures.get(this.#requestedFor(domain));
    const known = pem && validityOf(pem.certificate);
    const message = failure?.message ?? null;
    if (!known && this.#settings?.acme == null) {
      const text = `There is no certificate for ${domain}: ${SET_ONE}`;
      const never = { expires_at: null, renews_at: null, ends_soon: false };
      return { domain, source: 'file', state: 'failed', ...never, message: text };
    }
    if (!known) {
      const state = failure ? ('failed' as const) : ('pending' as const);
      const renews_at = failure ? failure.retryAt * 1000 : null;
      const never = { expires_at: null, renews_at, ends_soon: false };
      return { domain, source, state, ...never, message: message ?? this.#waitText(domain) };
    }
    const isExpired = known.until <= Date.now();
    const ends_soon = !isExpired && Date.now() >= endOf(known);
    const renewal = failure?.retryAt ?? renewalOf(this.#requestedFor(domain), known);
    return {
      ...{ domain, source, ends_soon },
      message: file ? fileMessage(isExpired, ends_soon) : message,
      state: isExpired ? 'expired' : 'valid',
      expires_at: known.until * 1000,
      renews_at: file || this.#settings?.acme == null ? null : renewal * 1000,
    };
  }

  /** Null: it is being requested, or about to be. */
  #waitText(domain: string): string | null {
    const waits =
      (this.#settings?.turn ?? 0) > 0 && !this.#requests.has(this.#requestedFor(domain));
    return waits ? 'another replica of the gateway is to request it' : null;
  }

  #look(): void {
    try {
      this.#requestDue();
    } catch (error) {
      this.#notStored(error);
    }
  }

  /** Issues and renews what is due, several names at once: one may take minutes until it fails. */
  #requestDue(): void {
    const isRepeat = (requested: string) => this.#failures.has(requested);
    for (const name of this.#names) {
      if (this.#requests.size >= AT_ONCE) return;
      const requested = this.#requestedFor(name);
      if (this.#requests.has(requested) || !this.#isDue(name)) continue;
      const repeats = [...this.#requests].filter(isRepeat).length;
      if (isRepeat(requested) && repeats >= REPEATS_AT_ONCE) continue;
      this.#requests.add(requested);
      this.#issue(requested)
        .finally(() => this.#requests.delete(requested))
        .then(
          () => this.#look(),
          (error) => this.#notStored(error),
        );
    }
  }

  #notStored(error: unknown): void {
    this.#options.log.error({ err: error }, 'the certificates could not be stored');
  }

  #isDue(name: string): boolean {
    if (this.#settings?.acme == null || this.#fileFor(name)) return false;
    const failure = this.#failures.get(this.#requestedFor(name));
    if (failure) return Date.now() >= failure.retryAt;
    const pem = this.#issued(name);
    const known = pem && validityOf(pem.certificate);
    const isDue = !known || Date.now() >= renewalOf(this.#requestedFor(name), known);
    return isDue && this.#isItsTurn(this.#requestedFor(name));
  }

  /** Others request it first, and share what they get. */
  #isItsTurn(name: string): boolean {
    const since = this.#dueSince.get(name) ?? Date.now();
    this.#dueSince.set(name, since);
    return Date.now() >= since + (this.#settings?.turn ?? 0) * TURN_MS;
  }

  async #issue(name: string): Promise<void> {
    const settings = this.#settings;
    if (settings?.acme == null) return;
    const { stateDir, log, onChange, onIssued } = this.#options;
    try {
      const challenges = this.#challenges(settings);
      if (challenges.type !== 'dns-01') {
        const { dns: server, address } = settings;
        // Other replicas' addresses count for http-01 alone: with tls-alpn-01 a gateway has one replica.
        const others = settings.other_addresses ?? [];
        const isOwn = this.#own.has(name);
        const problem = await dnsProblem(name, { server, address, others, isOwn });
        if (problem !== null) throw new WrongAddress(problem);
      }
      const acme = { settings: settings.acme, stateDir, challenges };
      // Authorities refuse a key that was revoked, each with an error of its own.
      const hasFailed = this.#failures.get(name)?.patience === AUTHORITY;
      // The client of authorities is large: it is loaded for the first certificate.
      const { request = (await import('./acme.ts')).requestCertificate } = this.#options;
      const issued = await request(name, acme, hasFailed ? null : this.#stored.keyOf(name));
      this.#stored.store(name, issued);
      this.#settle(name);
      log.info({ name }, 'a certificate was issued');
      onIssued();
    } catch (error) {
      this.#failures.set(name, nextFailure(error, this.#failures.get(name) ?? null));
      log.warn({ name, err: error }, 'a certificate was not issued');
    }
    this.#serve();
    onChange();
  }

  /** The name of the certificate: by dns-01 one serves all names of a domain. */
  #requestedFor(name: string): string {
    const isWild = this.#settings?.acme?.challenge === 'dns-01';
    return isWild && !this.#own.has(name) ? wildcardFor(name) : name;
  }

  #challenges({ acme, dns }: GatewaySettings): Challenges {
    const { runtime, setRecord } = this.#options;
    switch (acme?.challenge) {
      case 'dns-01':
        return dnsChallenges({ setRecord, dns, waitMs: (acme.dns_wait ?? DNS_WAIT_S) * 1000 });
      case 'tls-alpn-01':
        return tlsChallenges(this.#tls);
      default:
        return fileChallenges(join(runtime, 'acme/.well-known/acme-challenge'));
    }
  }

  #serve(): void {
    const served = new Map<string, IssuedCertificate>();
    for (const name of this.#names) {
      const pem = this.#fileFor(name) ?? this.#requested(name);
      if (pem) served.set(name, pem);
    }
    this.#stored.serve(served);
  }

  #fileFor(name: string): IssuedCertificate | null {
    const wildcard = wildcardFor(name);
    const found =
      this.#files.find(({ domain }) => domain === name) ??
      this.#files.find(({ domain }) => domain === wildcard);
    return found ?? null;
  }

  #issued(name: string): IssuedCertificate | null {
    return this.#settings?.acme == null ? null : this.#stored.issued(this.#requestedFor(name));
  }

  /** The one to serve: an expired one only if there is no other. */
  #requested(name: string): IssuedCertificate | null {
    const issued = this.#issued(name);
    return issued && isValid(issued) ? issued : (this.#earlier(name) ?? issued);
  }

  /** Issued for another challenge, in use until there is one for the present challenge. */
  #earlier(name: string): IssuedCertificate | null {
    if (this.#settings?.acme == null) return null;
    const requested = this.#requestedFor(name);
    const pem = this.#stored.issued(requested === name ? wildcardFor(name) : name);
    return pem && isValid(pem) ? pem : null;
  }
}

/** Where nginx leads the connections of authorities. */
export const acmeSocket = (runtime: string): string => `${runtime}/acme-tls.sock`;

function nextFailure(error: unknown, last: Failure | null): Failure {
  const patience = error instanceof WrongAddress ? DNS : AUTHORITY;
  const count = last?.patience === patience ? last.count + 1 : 1;
  const wait = Math.min(patience.first * 2 ** (count - 1), patience.longest);
  return { patience, message: errorMessage(error), count, retryAt: Date.now() + wait };
}

function fileMessage(isExpired: boolean, endsSoon: boolean): string | null {
  if (isExpired) return `The certificate has expired: ${SET_ONE}`;
  return endsSoon ? `Nothing renews it: ${SET_ONE}` : null;
}

/** When the end is near, in milliseconds since the epoch. */
const endOf = ({ from, until }: Validity): number =>
  until - Math.min((until - from) * END, LONGEST_END_MS);

const wildcardFor = (name: string): string => `*${name.slice(name.indexOf('.'))}`;

interface Validity {
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly until: number;
}

const isValid = ({ certificate }: IssuedCertificate): boolean =>
  (validityOf(certificate)?.until ?? 0) > Date.now();

function validityOf(certificate: string): Validity | null {
  try {
    const { validFrom, validTo } = new X509Certificate(certificate);
    return { from: Date.parse(validFrom), until: Date.parse(validTo) };
  } catch {
    return null;
  }
}

/** Milliseconds since the epoch; the same for each look at the same certificate. */
export function renewalOf(name: string, { from, until }: Validity): number {
  const digest = createHash('sha256').update(`${name} ${from}`).digest().readUInt32BE(0);
  const early = (digest / 2 ** 32) * JITTER;
  return Math.round(from + (until - from) * (RENEWAL - early));
}
