/** Who may use services: as the server answers, and from memory while it does not answer. */
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type Admit, ProxyRefusal } from '@dstack/proxy';
import type { CachedCaller } from './messages.ts';
import { type Questions, Unanswered } from './questions.ts';

export interface CallerCacheOptions {
  readonly questions: Questions;
  /** Seconds for which a caller is admitted without a confirmation while the server is away. */
  readonly ageSeconds: () => number;
  readonly isOnline: () => boolean;
  readonly onConfirmed: (entry: CachedCaller) => void;
  /** Milliseconds. */
  readonly now: () => number;
}

/** While the server is connected it reports changes; this catches tokens that expire. */
const CONFIRM_MS = 30_000;
const MAX_KNOWN = 10_000;

type Confirmed = Pick<CachedCaller, 'user' | 'services'>;

interface Known extends CachedCaller {
  readonly ask: () => Promise<Confirmed>;
  readonly open: Set<() => void>;
}

export class CallerCache {
  readonly #options: CallerCacheOptions;
  readonly #known = new Map<string, Known>();
  readonly #restored = new Map<string, CachedCaller>();

  constructor(options: CallerCacheOptions) {
    this.#options = options;
  }

  /** Callers that the server has confirmed to another process, or to an earlier one. */
  restore(entries: readonly CachedCaller[]): void {
    if (this.#restored.size >= MAX_KNOWN) this.#restored.clear();
    for (const entry of entries) this.#restored.set(entry.key, entry);
  }

  readonly admit: Admit = async (project, request, onRevoked) => {
    const authorization = request.headers.authorization ?? '';
    const method = request.method ?? 'GET';
    const key = hash('sha256', `${project}\n${method}\n${authorization}`, 'base64');
    const found = this.#known.get(key) ?? (await this.#ask(key, project, method, request));
    if (this.#isOld(found)) {
      await this.#confirm(found);
      if (!this.#known.has(key)) throw refused(project);
    }
    const known = this.#known.get(key) ?? found;
    const revoked = () => onRevoked();
    known.open.add(revoked);
    const { user: name, services = null } = known;
    return { name, services, release: () => void known.open.delete(revoked) };
  };

  /** The access of a user may have changed: every remembered caller is confirmed, or cut off. */
  changed(): void {
    this.#restored.clear();
    for (const known of this.#known.values()) {
      void this.#confirm(known).catch(() => this.#remove(known));
    }
  }

  async #ask(key: string, project: string, method: string, request: IncomingMessage) {
    const address = request.socket.remoteAddress ?? '';
    const authorization = request.headers.authorization ?? '';
    if (authorization.length > 8192) throw refused(project);
    const ask = async (): Promise<Confirmed> => {
      const answer = await this.#options.questions.ask(
        { type: 'admit', project, method, authorization, address, limits: true },
        'admitted',
      );
      if (answer.user === null && answer.status >= 500) throw new Unanswered(answer.detail);
      if (answer.user === null) throw new ProxyRefusal(answer.status, answer.detail);
      return { user: answer.user, services: answer.services };
    };
    const known = { key, ask, open: new Set<() => void>() };
    try {
      const confirmed = await ask();
      return this.#remember({ ...known, ...confirmed, confirmedAt: this.#options.now() });
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      const stored = this.#restored.get(key);
      if (stored && !this.#isTooOld(stored)) return this.#remember({ ...known, ...stored });
      throw new ProxyRefusal(
        503,
        'The dstack server cannot be reached, and this token has not been used here before',
        { retryAfter: 5 },
      );
    }
  }

  #remember(known: Known): Known {
    if (this.#known.size >= MAX_KNOWN) {
      for (const old of this.#known.values()) if (old.open.size === 0) this.#known.delete(old.key);
    }
    this.#known.set(known.key, known);
    const { key, user, services = null, confirmedAt } = known;
    this.#options.onConfirmed({ key, user, services, confirmedAt });
    return known;
  }

  #isOld({ confirmedAt }: CachedCaller): boolean {
    return this.#options.now() - confirmedAt > CONFIRM_MS;
  }

  #isTooOld({ confirmedAt }: CachedCaller): boolean {
    return this.#options.now() - confirmedAt > this.#options.ageSeconds() * 1000;
  }

  /** Keeps the caller if the server is away and the last confirmation is recent enough. */
  async #confirm(known: Known): Promise<void> {
    try {
      if (!this.#options.isOnline()) throw new Unanswered('the server is away');
      const confirmed = await known.ask();
      this.#remember({ ...known, ...confirmed, confirmedAt: this.#options.now() });
    } catch (error) {
      if (error instanceof Unanswered && !this.#isTooOld(known)) return;
      this.#remove(known);
      throw error instanceof Unanswered ? refused('') : error;
    }
  }

  #remove({ key, open }: Known): void {
    this.#known.delete(key);
    for (const revoked of [...open]) revoked();
    open.clear();
  }
}

function refused(project: string): ProxyRefusal {
  return new ProxyRefusal(403, `Unauthenticated or unauthorized to access project ${project}`);
}
