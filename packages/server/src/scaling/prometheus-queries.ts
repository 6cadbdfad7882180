import { withoutTrailingSlashes } from '@dstack/contract';
import { errorMessage } from '@dstack/contract/error-message';
import { isRunFinished, isRunTerminating } from '@dstack/contract/status';
import type { PrometheusRule } from '@dstack/contract/wire';
import {
  autoscalingRules,
  QUERY_INTERVAL,
  type QueryAnswer,
  queryKey,
  type RunRecord,
  type RunSnapshot,
  recordEvent,
  runTarget,
  type Timestamp,
} from '@dstack/core';
import type { Services } from '@dstack/store';
import type { Outgoing } from '../outgoing/outgoing.ts';
import type { Logger } from '../process/logging.ts';
import { prometheusValue } from './prometheus-answer.ts';

export interface PrometheusQueriesOptions {
  readonly services: Pick<Services, 'setQueryAnswer'>;
  readonly outgoing: Pick<Outgoing, 'get'>;
  /** Microseconds. */
  readonly now: () => Timestamp;
  readonly log: Logger;
}

/** Milliseconds for one answer. */
const TIMEOUT_MS = 5000;

const MAX_BYTES = 64 * 1024;

/** At a time; a query beyond that is asked with the next pass of its run. */
const MOST_OPEN = 32;

/** Passes are not exact to the millisecond (µs). */
const SLACK = 500_000;

/**
 * Asks the Prometheus servers that services name in `autoscaling`, and signals the run when an answer is
 * stored. A pass of the run requests it, so nothing runs while there is no such service.
 */
export class PrometheusQueries {
  readonly #options: PrometheusQueriesOptions;
  readonly #open = new Set<string>();

  constructor(options: PrometheusQueriesOptions) {
    this.#options = options;
  }

  /** Renews the answers that the run's next decision needs. */
  want({ run, load }: Pick<RunSnapshot, 'run' | 'load'>): void {
    if (load === null || isRunFinished(run.status) || isRunTerminating(run.status)) return;
    for (const rule of autoscalingRules(run)) {
      if (rule.metric !== 'prometheus') continue;
      const key = queryKey(rule);
      const last = load.queries[key] ?? null;
      const age = last === null ? Number.POSITIVE_INFINITY : this.#options.now() - last.at;
      if (age < QUERY_INTERVAL * 1_000_000 - SLACK) continue;
      void this.#renew(run, rule, last);
    }
  }

  async #renew(run: RunRecord, rule: PrometheusRule, last: QueryAnswer | null): Promise<void> {
    const key = queryKey(rule);
    const open = `${run.id} ${key}`;
    if (this.#open.has(open) || this.#open.size >= MOST_OPEN) return;
    this.#open.add(open);
    const { services, log } = this.#options;
    try {
      const answer = await this.#ask(rule);
      const events = changedEvents(run, rule, last, answer);
      const signals = [{ kind: 'run' as const, id: run.id }];
      await services.setQueryAnswer(run.id, key, answer, { events, signals });
    } catch (error) {
      log.warn({ err: error, run: run.name }, 'the answer to a query was not stored');
    } finally {
      this.#open.delete(open);
    }
  }

  async #ask({ url, query }: PrometheusRule): Promise<QueryAnswer> {
    const { outgoing, now } = this.#options;
    const target = new URL(`${withoutTrailingSlashes(url)}/api/v1/query`);
    target.searchParams.set('query', query);
    target.searchParams.set('timeout', `${TIMEOUT_MS / 1000}s`);
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    try {
      const { status, body } = await outgoing.get(target, { maxBytes: MAX_BYTES, signal });
      return { value: prometheusValue(status, body.toString()), error: null, at: now() };
    } catch (error) {
      const text = signal.aborted
        ? `no answer within ${TIMEOUT_MS / 1000} seconds`
        : errorMessage(error);
      return { value: null, error: text, at: now() };
    }
  }
}

function changedEvents(
  run: RunRecord,
  { query }: PrometheusRule,
  last: QueryAnswer | null,
  { error }: QueryAnswer,
) {
  const before = last?.error ?? null;
  if ((before === null) === (error === null)) return [];
  const targets = [runTarget(run)];
  if (error === null) {
    return [recordEvent({ action: 'run.query_recovered', data: { query }, targets })];
  }
  return [recordEvent({ action: 'run.query_failed', data: { query, error }, targets })];
}
