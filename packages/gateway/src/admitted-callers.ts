import type { GatewayToken } from '@dstack/contract/agent';
import {
  type AdmissionAsk,
  type GrantedCaller,
  isVerdict,
  type KeptGrant,
  type ModelToken,
  ProxyRefusal,
} from '@dstack/proxy';
import type { ServerQuestions } from './server-questions.ts';
import type { StoredState } from './stored-state.ts';

export interface AdmittedCallersOptions {
  readonly state: Pick<StoredState, 'read' | 'write'>;
  readonly questions: Pick<ServerQuestions, 'ask'>;
  /** To all workers. */
  readonly notify: (type: 'granted' | 'revoked', data: unknown) => void;
  /** A caller who was known is refused. */
  readonly onRefused: () => void;
}

const MOST_CALLERS = 10_000;
/** Characters of a credential. */
const MOST_TEXT = 8192;

/** Callers whom the server has admitted: for all workers, also while it is away and after a restart. */
export class AdmittedCallers {
  readonly #options: AdmittedCallersOptions;
  readonly #known = new Map<string, KeptGrant>();
  /** Raised with every change of access: what was asked before it may be outdated. */
  #changes = 0;

  constructor(options: AdmittedCallersOptions) {
    this.#options = options;
    for (const one of options.state.read('callers') ?? []) {
      // An earlier version has stored them in another form.
      if ('caller' in one) this.#known.set(one.key, one);
    }
  }

  get all(): KeptGrant[] {
    return [...this.#known.values()];
  }

  /** Rejects with `ProxyRefusal`. */
  async admit(ask: AdmissionAsk): Promise<GrantedCaller> {
    const changes = this.#changes;
    try {
      const caller = await this.#asked(ask);
      // The worker that has asked knows of the change too, and asks again.
      if (changes === this.#changes) this.#keep(ask, caller);
      return caller;
    } catch (error) {
      // A confirmation that crossed a change of the access must not outlive it.
      if (isVerdict(error)) this.#refuse(ask.key);
      throw error;
    }
  }

  /** The access of any caller may have changed. */
  changed(): void {
    this.#changes += 1;
    this.#known.clear();
    this.#store();
  }

  async #asked(ask: AdmissionAsk): Promise<GrantedCaller> {
    const { kind, project, method, authorization, address } = ask;
    if ((authorization ?? '').length > MOST_TEXT) {
      throw new ProxyRefusal(403, `Unauthenticated or unauthorized to access project ${project}`);
    }
    const answer = await this.#options.questions.ask<'admit'>({
      ...{ type: 'admit', kind, project, method, authorization: authorization ?? '', address },
      limits: true,
    });
    const { user: name, services, status, detail, expires_at: expiresAt = null } = answer;
    if (name === null) throw new ProxyRefusal(status, detail);
    // A gateway knows names only.
    const caller = { name, userId: name, projectId: project, projectName: project };
    return { ...caller, expiresAt, token: answer.token ? tokenIn(answer.token) : null, services };
  }

  #keep(ask: AdmissionAsk, caller: GrantedCaller): void {
    if (this.#known.size >= MOST_CALLERS) this.#known.clear();
    this.#known.set(ask.key, { key: ask.key, caller, confirmedAt: Date.now() });
    this.#store();
    this.#options.notify('granted', { ask, caller });
  }

  #refuse(key: string): void {
    // Most are strangers, whom no other worker knows.
    if (!this.#known.delete(key)) return;
    this.#store();
    this.#options.notify('revoked', { key });
    this.#options.onRefused();
  }

  #store(): void {
    this.#options.state.write('callers', this.all);
  }
}

function tokenIn({ id, name, models, used_up: over, ...limits }: GatewayToken): ModelToken {
  return {
    ...{ id, name, models, requestsPerMinute: limits.requests_per_minute },
    hasBudget: limits.has_budget,
    usedUp: over && { text: over.text, retryAfter: over.retry_after },
  };
}
