/** The server as a worker asks it, through the main process. */
import type { GatewayToken } from '@dstack/contract/agent';
import {
  type AdmissionAsk,
  type AskedServer,
  type GrantedCaller,
  type ModelToken,
  ProxyRefusal,
} from '@dstack/proxy';
import { type Questions, Unanswered } from './questions.ts';

export class AskedThroughMain implements AskedServer {
  readonly #questions: Questions;
  #isOnline = false;
  readonly #onPresent = new Set<() => void>();

  constructor(questions: Questions) {
    this.#questions = questions;
  }

  get isAway(): boolean {
    return !this.#isOnline;
  }

  onPresent(notify: () => void): void {
    this.#onPresent.add(notify);
  }

  setOnline(isOnline: boolean): void {
    const isBack = isOnline && !this.#isOnline;
    this.#isOnline = isOnline;
    if (isBack) for (const notify of this.#onPresent) notify();
  }

  async ask<T>(_type: string, asked: unknown): Promise<T> {
    const { kind, project, method, authorization, address } = asked as AdmissionAsk;
    if ((authorization ?? '').length > MOST_TEXT) throw refused(project);
    const question = { kind, project, method, authorization: authorization ?? '', address };
    try {
      const answer = await this.#questions.ask(
        { type: 'admit', ...question, limits: true },
        'admitted',
      );
      const { user: name, services, status, detail, expires_at: expiresAt = null } = answer;
      if (name === null) throw new ProxyRefusal(status, detail);
      // The gateway knows names only.
      const caller = { name, userId: name, projectId: project, projectName: project };
      const token = answer.token ? tokenIn(answer.token) : null;
      return { ...caller, expiresAt, token, services } satisfies GrantedCaller as T;
    } catch (error) {
      throw error instanceof Unanswered ? serverUnreachable() : error;
    }
  }

  /** The server does not watch what a gateway remembers. */
  notify(): boolean {
    return this.#isOnline;
  }
}

function tokenIn({ id, name, models, used_up: over, ...limits }: GatewayToken): ModelToken {
  return {
    ...{ id, name, models, requestsPerMinute: limits.requests_per_minute },
    hasBudget: limits.has_budget,
    usedUp: over && { text: over.text, retryAfter: over.retry_after },
  };
}

const MOST_TEXT = 8192;

const refused = (project: string) =>
  new ProxyRefusal(403, `Unauthenticated or unauthorized to access project ${project}`);

export const serverUnreachable = () =>
  new ProxyRefusal(
    503,
    'The dstack server cannot be reached, and this token has not been used here before',
    { code: 'server_away', retryAfter: 5 },
  );
