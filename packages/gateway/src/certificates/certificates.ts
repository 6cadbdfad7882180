import { createHash, X509Certificate } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { CertificateState, GatewayPem, GatewaySettings } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { dnsProblem, type Logger } from '@dstack/server/proxy';
import { type IssuedCertificate, requestCertificate } from './acme.ts';
import {
  type Challenges,
  dnsChallenges,
  fileChallenges,
  type SetRecord,
  tlsChallenges,
} from './challenges.ts';
import { TlsChallenges } from './tls-challenges.ts';

export interface CertificatesOptions {
  readonly stateDir: string;
  readonly runtime: string;
  /** Group of nginx's workers, which read keys by name during a handshake; null = the same user. */
  readonly group: number | null;
  readonly setRecord: SetRecord;
  /** The states have changed. */
  readonly onChange: () => void;
  /** Another certificate was issued. */
  readonly onIssued: () => void;
  readonly log: Logger;
}

/** After this part of its life a certificate is renewed. */
const RENEWAL = 2 / 3;
/** Gateways that were created together do not renew together: up to this part earlier. */
const JITTER = 0.1;
const LOOK_MS = 5000;
const DNS_WAIT_S = 120;

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
  readonly #tls: TlsChallenges;
  #names: readonly string[] = [];
  #settings: GatewaySettings | null = null;
  #files: readonly GatewayPem[] = [];
  #offered: readonly GatewayPem[] = [];
  #own: ReadonlySet<string> = new Set();
  #working = false;
  #again = false;

  constructor(options: CertificatesOptions) {
    this.#options = options;
    const { runtime, group, log } = options;
    this.#tls = new TlsChallenges({ path: acmeSocket(runtime), group, log });
    for (const dir of [this.#issuedDir, this.#servedDir]) mkdirSync(dir, { recursive: true });
    chmodSync(this.#issuedDir, 0o700);
    this.#protect(this.#servedDir, 0o750);
    setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /**
   * What is to be served from now on. `offered`: certificates that other replicas have. `own`: names of
   * users, whose domains do not belong to the gateway.
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
    for (const name of [...this.#failures.keys()]) {
      if (!wanted.includes(name)) this.#failures.delete(name);
    }
    this.#adopt();
    this.#serve();
    this.#look();
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
      this.#store(name, offered);
      this.#failures.delete(name);
    }
  }

  #store(name: string, { certificate, key }: IssuedCertificate): void {
    const path = this.#issuedPath(name);
    this.#write(`${path}.key`, key, null);
    this.#write(`${path}.pem`, certificate, null);
  }

  get states(): CertificateState[] {
    return this.#names.map((name) => this.#stateOf(name));
  }

  #stateOf(domain: string): CertificateState {
    const file = this.#fileFor(domain);
    const pem = file ?? this.#issued(domain) ?? this.#earlier(domain);
    const source = file ? 'file' : 'acme';
    const failure = this.#failures.get(this.#requestedFor(domain));
    const known = pem && validityOf(pem.certificate);
    const message = failure?.message ?? null;
    if (!known && this.#settings?.acme == null) {
      const text = `There is no certificate for ${domain}: ${SET_ONE}`;
      const never = { expires_at: null, renews_at: null };
      return { domain, source: 'file', state: 'failed', ...never, message: text };
    }
    if (!known) {
      const state = failure ? ('failed' as const) : ('pending' as const);
      const renews_at = failure ? failure.retryAt * 1000 : null;
      return { domain, source, state, expires_at: null, renews_at, message };
    }
    const isExpired = known.until <= Date.now();
    const renewal = failure?.retryAt ?? renewalOf(this.#requestedFor(domain), known);
    return {
      ...{ domain, source },
      message: file && isExpired ? `The certificate has expired: ${SET_ONE}` : message,
      state: isExpired ? 'expired' : 'valid',
      expires_at: known.until * 1000,
      renews_at: file || this.#settings?.acme == null ? null : renewal * 1000,
    };
  }

  /** Issues and renews what is due, one name after another. */
  #look(): void {
    this.#again = true;
    if (this.#working) return;
    this.#working = true;
    this.#work()
      .catch((error) => {
        this.#options.log.error({ err: error }, 'the certificates could not be stored');
      })
      .finally(() => {
        this.#working = false;
      });
  }

  async #work(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      for (const name of this.#names) {
        if (this.#isDue(name)) await this.#issue(this.#requestedFor(name));
      }
    }
  }

  #isDue(name: string): boolean {
    if (this.#settings?.acme == null || this.#fileFor(name)) return false;
    const failure = this.#failures.get(this.#requestedFor(name));
    if (failure) return Date.now() >= failure.retryAt;
    const pem = this.#issued(name);
    const known = pem && validityOf(pem.certificate);
    return !known || Date.now() >= renewalOf(this.#requestedFor(name), known);
  }

  async #issue(name: string): Promise<void> {
    const settings = this.#settings;
    if (settings?.acme == null) return;
    const { stateDir, log, onChange, onIssued } = this.#options;
    try {
      const challenges = this.#challenges(settings);
      if (challenges.type !== 'dns-01') {
        const { dns: server, address } = settings;
        const problem = await dnsProblem(name, { server, address, isOwn: this.#own.has(name) });
        if (problem !== null) throw new WrongAddress(problem);
      }
      const acme = { settings: settings.acme, stateDir, challenges };
      const issued = await requestCertificate(name, acme);
      this.#store(name, issued);
      this.#failures.delete(name);
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

  /** Puts the files of all names where nginx looks for them, and removes others. */
  #serve(): void {
    const { group } = this.#options;
    const wanted = new Set<string>();
    for (const name of this.#names) {
      const pem = this.#fileFor(name) ?? this.#issued(name) ?? this.#earlier(name);
      if (!pem) continue;
      wanted.add(`${name}.pem`);
      // Replaced in one step: nginx reads both for each handshake, and must find a key that fits.
      const text = `${pem.certificate.trimEnd()}\n${pem.key}`;
      this.#write(join(this.#servedDir, `${name}.pem`), text, group);
    }
    for (const file of readdirSync(this.#servedDir)) {
      if (!wanted.has(file)) rmSync(join(this.#servedDir, file), { force: true });
    }
  }

  #fileFor(name: string): IssuedCertificate | null {
    const wildcard = wildcardFor(name);
    const found =
      this.#files.find(({ domain }) => domain === name) ??
      this.#files.find(({ domain }) => domain === wildcard);
    return found ?? null;
  }

  #issued(name: string): IssuedCertificate | null {
    return this.#settings?.acme == null ? null : this.#read(this.#requestedFor(name));
  }

  /** Issued for another challenge, in use until there is one for the present challenge. */
  #earlier(name: string): IssuedCertificate | null {
    if (this.#settings?.acme == null) return null;
    const requested = this.#requestedFor(name);
    const pem = this.#read(requested === name ? wildcardFor(name) : name);
    return pem && (validityOf(pem.certificate)?.until ?? 0) > Date.now() ? pem : null;
  }

  #read(requested: string): IssuedCertificate | null {
    const path = this.#issuedPath(requested);
    if (!existsSync(`${path}.pem`) || !existsSync(`${path}.key`)) return null;
    return {
      certificate: readFileSync(`${path}.pem`, 'utf8'),
      key: readFileSync(`${path}.key`, 'utf8'),
    };
  }

  #write(path: string, text: string, group: number | null): void {
    if (existsSync(path) && readFileSync(path, 'utf8') === text) return;
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    if (group !== null) this.#protect(`${path}.new`, 0o640);
    renameSync(`${path}.new`, path);
  }

  #protect(path: string, mode: number): void {
    const { group } = this.#options;
    if (group !== null) chownSync(path, 0, group);
    chmodSync(path, group === null ? mode & 0o700 : mode);
  }

  #issuedPath(name: string): string {
    return join(this.#issuedDir, name.replace('*', '_'));
  }

  get #issuedDir(): string {
    return join(this.#options.stateDir, 'certificates');
  }

  get #servedDir(): string {
    return join(this.#options.runtime, 'certificates');
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

const wildcardFor = (name: string): string => `*${name.slice(name.indexOf('.'))}`;

interface Validity {
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly until: number;
}

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
